"""Reads of the player store when each player stays with one supervisor, against round robin."""

ROUND_ROBIN, AFFINITY = "round robin", "affinity"
