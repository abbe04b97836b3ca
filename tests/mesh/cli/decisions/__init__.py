"""Tests of mesh/cli/decisions."""
