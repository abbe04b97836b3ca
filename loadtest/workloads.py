"""The workloads that systems are compared on: what is asked, of how many models, and of what size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from loadtest.simulated.service_times import Lognormal

VERSION = "1"

Method = Literal["Score", "GetOffer"]


@dataclass(frozen=True, slots=True)
class Forests:
    """Model files of one size, in a folder of that name; several ensembles may share them.

    The last columns are categorical where there are `codes`: so many categories each.
    """

    name: str = "forests"
    count: int = 15
    trees: int = 500
    leaves: int = 63
    features: int = 80
    codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainedEnsemble:
    """Models that are really trained and really predict; the caller waits.

    More models than files: files are served again under further names. With `offers`, a request ranks so many
    candidates, whose columns are the last `offer_features` ones; without, it asks for one score.
    """

    game: str
    title: str
    forests: Forests = Forests()
    models: int = 15
    offers: int = 0
    offer_features: int = 0
    players: int = 2000
    budget_ms: int = 1000
    quorum: int = 10
    callers: tuple[int, ...] = (1, 8, 64, 256)

    @property
    def features(self) -> int:
        """The columns of a row."""
        return self.forests.features

    @property
    def method(self) -> Method:
        """What is asked for."""
        return "GetOffer" if self.offers else "Score"


@dataclass(frozen=True, slots=True)
class SimulatedEnsemble:
    """Models that only take their time, so that the machine is not the limit; the caller never waits.

    `loads` are arrival rates as shares of the capacity.
    """

    game: str
    title: str
    models: int = 15
    replicas: int = 4
    service: Lognormal = field(default=Lognormal(median_s=0.033, sigma=0.15))
    features: int = 4
    players: int = 200
    budget_ms: int = 5000
    quorum: int = 10
    offers: int = 0
    offer_features: int = 0
    method: Method = "Score"
    loads: tuple[float, ...] = (0.1, 0.4, 0.7)

    @property
    def capacity_rps(self) -> float:
        """The requests a second at which every replica is busy all the time."""
        return self.replicas / self.service.mean_s


Workload = TrainedEnsemble | SimulatedEnsemble

W15 = TrainedEnsemble("w15", "15 trained models, 500 trees x 63 leaves, 80 features, one row")
W15X100 = TrainedEnsemble(
    "w15x100", "the same 15, ranking 100 offers a request", offers=100, offer_features=10, budget_ms=10_000
)
W30 = TrainedEnsemble("w30", "30 trained models of that size, one row", models=30, quorum=20)
S15 = SimulatedEnsemble("s15", "15 simulated models, 33 ms a row, 4 replicas each, open loop")


def model_names(workload: Workload) -> list[str]:
    """m00, m01, ... in panel order."""
    return [f"m{number:02d}" for number in range(workload.models)]


def feature_names(rows: Workload | Forests) -> list[str]:
    """f00, f01, ... in column order."""
    return [f"f{number:02d}" for number in range(rows.features)]


def player_feature_names(workload: Workload) -> list[str]:
    """Those that the store of players has: all but the offers'."""
    return feature_names(workload)[: workload.features - workload.offer_features]


def offer_feature_names(workload: Workload) -> list[str]:
    """Those that the table of offers has."""
    return feature_names(workload)[workload.features - workload.offer_features :]


def offer_ids(workload: Workload) -> list[str]:
    """o000, o001, ...: every candidate."""
    return [f"o{number:03d}" for number in range(workload.offers)]


def model_file(workload: Workload, number: int) -> str:
    """The file of the model of that number, seen from the workload's folder."""
    if isinstance(workload, SimulatedEnsemble):
        return f"simulated/{number}.txt"
    return f"../{workload.forests.name}/{number % workload.forests.count:02d}.txt"


def player_ids(players: int) -> list[str]:
    """p0000, p0001, ...: every player whom a workload's store knows."""
    return [f"p{number:04d}" for number in range(players)]


def catalog_of(workload: Workload) -> dict[str, Any]:
    """The mesh's catalog of `workload`; its paths are relative to the folder that it is written to."""
    models = [{"name": name, "uri": model_file(workload, number)} for number, name in enumerate(model_names(workload))]
    combine = {"kind": "mean", "quorum": workload.quorum}
    told = {
        "game": workload.game,
        "budget_ms": workload.budget_ms,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 200, "cache_ttl_s": 5},
        "versions": {VERSION: {"traffic": 100, "combine": combine, "models": models}},
    }
    if workload.offers:
        told["offers"] = {"path": "offers.csv", "fallback": offer_ids(workload)[0], "rank_by": "score"}
    return told


def endpoints_of(workload: SimulatedEnsemble, addresses: Sequence[str]) -> dict[str, Any]:
    """Who serves which model: `addresses` dealt out by `replicas` to the models in panel order."""
    step = workload.replicas
    models = {
        name: list(addresses[index * step : (index + 1) * step]) for index, name in enumerate(model_names(workload))
    }
    return {workload.game: {VERSION: models}}
