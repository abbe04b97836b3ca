"""Faults of one replica of a running mesh: frozen, stuck, or short of CPU."""
