"""Fixtures for the servers that tests run against, and tests of these servers."""
