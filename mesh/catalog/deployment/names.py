"""The names of the Kubernetes objects of a game."""

from __future__ import annotations

SHARED = "shared"  # in place of the version, wherever the replicas of a member are named
MAX_NAME_LENGTH = 63  # limit of Service names and label values


def model_name(game: str, version: str, model: str) -> str:
    """Returns the name of the Deployment, Service, HPA and PodDisruptionBudget of a model."""
    return f"{game}-{version}-{model}"


def supervisor_name(game: str) -> str:
    """Returns the name of the same objects of the supervisor."""
    return f"{game}-supervisor"
