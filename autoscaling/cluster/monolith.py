"""The costs of the same load without a mesh: a fixed number of processes, each of which holds every model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaling.cluster.model_costs import ModelCosts
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation_input import SimulationInput
from mesh.catalog.shifts import shares_at

BASE_MB = 60.0  # the process with its web framework
WORKER_BASE_MB = 33.0  # the part of a worker's memory that does not depend on the model
REQUEST_CPU_S = 0.001
MAX_UTILIZATION = 0.6


@dataclass(frozen=True, slots=True)
class Monolith:
    """The copies of the process, each on one core. A copy asks its models one after the other."""

    copies: int
    request_s: float
    core_hours: float
    memory_gb_hours: float


def monolith(costs: Sequence[ModelCosts], rows: int, peak_rps: float, hours: float) -> Monolith:
    """Returns the monolith whose copies have a utilization of MAX_UTILIZATION at the peak."""
    request_s = REQUEST_CPU_S + sum(one.row_s * rows for one in costs)
    copies = max(1, math.ceil(peak_rps * request_s / MAX_UTILIZATION))
    memory_mb = BASE_MB + sum(max(0.0, one.memory_mb - WORKER_BASE_MB) for one in costs)
    return Monolith(copies, request_s, copies * hours, copies * memory_mb * hours / 1024)


def monoliths(given: SimulationInput, results: Sequence[GameResult]) -> list[Monolith]:
    """Returns the monolith for each game: it holds the models that vote in the version with the most traffic."""
    return [_of_game(given, number, result) for number, result in enumerate(results)]


def _of_game(given: SimulationInput, number: int, result: GameResult) -> Monolith:
    catalog, _ = given.games[number]
    shares = shares_at(catalog.versions, math.inf)
    version = max(shares, key=lambda name: shares[name])
    costs = [given.costs[catalog.game, model.home(version), model.name] for model in catalog.versions[version].voters]
    return monolith(costs, given.settings.offers, float(result.rps.max()), result.hours)
