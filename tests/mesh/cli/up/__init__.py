"""Tests of mesh/cli/up."""
