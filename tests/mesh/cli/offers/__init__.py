"""Tests of mesh/cli/offers."""
