"""Dragonfall: a mobile game that exists only as a seeded simulation, served by 15 models."""
