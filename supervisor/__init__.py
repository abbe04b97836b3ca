"""The supervisor: gathers a player's features, asks every model of the ensemble, answers before the deadline."""

import mesh  # noqa: F401 (says what gRPC must hear before it is imported)
