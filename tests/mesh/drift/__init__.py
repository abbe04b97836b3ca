"""Tests of `mesh.drift`."""
