"""Tests of `mesh outcome`."""
