"""Tests of mesh/cli/rollout."""
