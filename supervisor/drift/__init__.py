"""Drift: a sample of the answered requests is compared with the training (docs/decisions/0025-drift.md)."""
