"""Outages of the player store while the mesh is under load: what callers receive, and whether it is correct."""
