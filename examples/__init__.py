"""Example games that run on one machine."""
