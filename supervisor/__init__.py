"""The supervisor: reads a player's features, asks every model of the ensemble, answers before the deadline."""

import mesh  # noqa: F401 (sets options that gRPC reads when it is imported)
