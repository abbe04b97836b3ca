"""Tests of mesh/cli/verify."""
