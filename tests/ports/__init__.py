"""Contract tests of the ports, run against the real adapters."""
