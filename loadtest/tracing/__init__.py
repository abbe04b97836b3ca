"""Traces: their cost, and the picture of one trace."""
