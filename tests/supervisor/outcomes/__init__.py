"""Tests of `supervisor.outcomes`."""
