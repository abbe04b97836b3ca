"""Tests of mesh/cli/status."""
