"""Tests of mesh/reference."""
