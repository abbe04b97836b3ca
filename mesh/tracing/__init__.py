"""Traces: spans of both services, exported over OTLP (docs/traces.md)."""
