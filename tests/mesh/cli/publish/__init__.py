"""Tests of mesh/cli/publish."""
