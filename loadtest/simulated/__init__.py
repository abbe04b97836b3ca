"""Simulated models, which only wait, so that one machine can stand for sixty; and the limit of their latencies."""
