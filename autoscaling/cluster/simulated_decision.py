"""Finds a decision of a simulation, and explains all rescales of its results."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaling.cluster.controller import HpaController, hpas
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import Progress, simulate
from autoscaling.cluster.simulation_input import SimulationInput, model_keys
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.reconciliation import Decision
from autoscaling.explain import explain
from mesh.catalog.deployment.names import model_name, supervisor_name
from mesh.errors import Misconfigured


def find_deployment(given: SimulationInput, model: str, version: str) -> tuple[str, int]:
    """Returns the name of the Deployment of `model`, and the index of its game; raises Misconfigured.

    An empty `version` selects the first version that has the model. The model `supervisor` selects the supervisors.
    """
    known: dict[str, tuple[str, int]] = {}
    for number, (catalog, _) in enumerate(given.games):
        known.setdefault("supervisor", (supervisor_name(catalog.game), number))
        for key in model_keys(catalog):
            if version in ("", key[1]):
                known.setdefault(key[2], (model_name(*key), number))
    if model not in known:
        names = list(known)
        listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise Misconfigured([f"--model: there is no {model!r}; the models are {listed}"])
    return known[model]


def last_decision(
    given: SimulationInput, deployment: str, until_s: float, progress: Progress
) -> tuple[Hpa, Decision] | None:
    """Simulates until `until_s`; returns the HPA and the last decision of `deployment`, or None without a tick."""
    found: list[tuple[Hpa, Decision]] = []

    def on_decision(one: HpaController, decision: Decision) -> None:
        if one.fleet.name == deployment and decision.rationale.at_s <= until_s:
            found[:] = [(one.hpa, decision)]

    simulate(given, on_decision=on_decision, progress=progress, until_s=until_s)
    return found[0] if found else None


def explanations(given: SimulationInput, results: Sequence[GameResult]) -> dict[str, list[str]]:
    """Returns the explanations of the rescales of each Deployment, in their order; each is a text of several lines."""
    found: dict[str, list[str]] = {}
    for (catalog, load), result in zip(given.games, results, strict=True):
        by_name = hpas(catalog)
        for deployment in result.deployments:
            hpa = by_name[deployment.name]
            found[deployment.name] = ["\n".join(explain(hpa, one.rationale, load.clock)) for one in deployment.rescales]
    return found
