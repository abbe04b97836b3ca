"""The supervisor: gathers a player's features, asks every model of the ensemble, answers before the deadline."""
