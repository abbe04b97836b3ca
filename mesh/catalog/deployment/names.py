"""The names that the cluster knows a game's parts by."""

from __future__ import annotations

LONGEST = 63  # of a Service, and of a label's value


def model_name(game: str, version: str, model: str) -> str:
    """Of a model's Deployment, Service, HPA and PodDisruptionBudget."""
    return f"{game}-{version}-{model}"


def supervisor_name(game: str) -> str:
    """Of the supervisor's."""
    return f"{game}-supervisor"
