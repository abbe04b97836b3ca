"""Tests of mesh/cli/traffic."""
