"""The workloads that systems are compared on: what is asked, of how many models, and of what size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.simulated.service_times import Lognormal

VERSION = "1"


@dataclass(frozen=True, slots=True)
class TrainedEnsemble:
    """Models that are really trained and really predict; one row a request, the caller waits."""

    game: str
    models: int = 15
    trees: int = 500
    leaves: int = 63
    features: int = 80
    players: int = 2000
    budget_ms: int = 1000
    quorum: int = 10
    callers: tuple[int, ...] = (1, 8, 64, 256)


@dataclass(frozen=True, slots=True)
class SimulatedEnsemble:
    """Models that only take their time, so that the machine is not the limit; the caller never waits.

    `loads` are arrival rates as shares of the capacity.
    """

    game: str
    models: int = 15
    replicas: int = 4
    service: Lognormal = field(default=Lognormal(median_s=0.033, sigma=0.15))
    features: int = 4
    players: int = 200
    budget_ms: int = 5000
    quorum: int = 10
    loads: tuple[float, ...] = (0.1, 0.4, 0.7)

    @property
    def capacity_rps(self) -> float:
        """The requests a second at which every replica is busy all the time."""
        return self.replicas / self.service.mean_s


Workload = TrainedEnsemble | SimulatedEnsemble

W15 = TrainedEnsemble(game="w15")
S15 = SimulatedEnsemble(game="s15")


def model_names(workload: Workload) -> list[str]:
    """m00, m01, ... in panel order."""
    return [f"m{number:02d}" for number in range(workload.models)]


def feature_names(workload: Workload) -> list[str]:
    """f00, f01, ... in column order."""
    return [f"f{number:02d}" for number in range(workload.features)]


def player_ids(players: int) -> list[str]:
    """p0000, p0001, ...: every player whom a workload's store knows."""
    return [f"p{number:04d}" for number in range(players)]


def catalog_of(workload: Workload) -> dict[str, Any]:
    """The mesh's catalog of `workload`; its paths are relative to the folder that it is written to."""
    models = [{"name": name, "uri": f"models/{name}.txt"} for name in model_names(workload)]
    combine = {"kind": "mean", "quorum": workload.quorum}
    return {
        "game": workload.game,
        "budget_ms": workload.budget_ms,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 200, "cache_ttl_s": 5},
        "versions": {VERSION: {"traffic": 100, "combine": combine, "models": models}},
    }


def endpoints_of(workload: SimulatedEnsemble, addresses: Sequence[str]) -> dict[str, Any]:
    """Who serves which model: `addresses` dealt out by `replicas` to the models in panel order."""
    step = workload.replicas
    models = {
        name: list(addresses[index * step : (index + 1) * step]) for index, name in enumerate(model_names(workload))
    }
    return {workload.game: {VERSION: models}}
