"""Spans of requests and cohorts (docs/traces.md)."""
