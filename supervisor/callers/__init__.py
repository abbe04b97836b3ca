"""Callers: how a peer is recognised, what it may do, and how many requests it may send."""
