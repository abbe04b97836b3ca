"""The workloads of comparisons: the requests, the number of models and their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from loadtest.simulated.service_times import Lognormal

VERSION = "1"

Method = Literal["Score", "GetOffer"]


@dataclass(frozen=True, slots=True)
class Forests:
    """Model files of one size in the folder `name`; several ensembles may share them.

    `codes` are the numbers of categories of the last columns, which are categorical.
    """

    name: str = "forests"
    count: int = 15
    trees: int = 500
    leaves: int = 63
    features: int = 80
    codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainedEnsemble:
    """Trained models, under closed-loop load from each number of `callers`.

    If there are more models than files, files are served again under other names. With `offers`, a request ranks so
    many candidates, whose columns are the last `offer_features`; without, it asks for one score.
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
        """The number of columns of a row."""
        return self.forests.features

    @property
    def method(self) -> Method:
        """The RPC of a request."""
        return "GetOffer" if self.offers else "Score"


@dataclass(frozen=True, slots=True)
class SimulatedEnsemble:
    """Simulated models, which only wait, so that the machine is not the limit, under open-loop load.

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
        """The requests per second at which every replica is always busy."""
        return self.replicas / self.service.mean_s


Workload = TrainedEnsemble | SimulatedEnsemble

W15 = TrainedEnsemble("w15", "15 trained models, 500 trees x 63 leaves, 80 features, one row")
W15X100 = TrainedEnsemble(
    "w15x100", "the same 15 models, ranking 100 offers per request", offers=100, offer_features=10, budget_ms=10_000
)
W30 = TrainedEnsemble("w30", "30 trained models of that size, one row", models=30, quorum=20)
S15 = SimulatedEnsemble("s15", "15 simulated models, 33 ms per row, 4 replicas each, open loop")


def model_names(workload: Workload) -> list[str]:
    """m00, m01, ... in panel order."""
    return [f"m{number:02d}" for number in range(workload.models)]


def feature_names(rows: Workload | Forests) -> list[str]:
    """f00, f01, ... in column order."""
    return [f"f{number:02d}" for number in range(rows.features)]


def player_feature_names(workload: Workload) -> list[str]:
    """The features in the player store: all but those of the offers."""
    return feature_names(workload)[: workload.features - workload.offer_features]


def offer_feature_names(workload: Workload) -> list[str]:
    """The features in the table of offers."""
    return feature_names(workload)[workload.features - workload.offer_features :]


def offer_ids(workload: Workload) -> list[str]:
    """o000, o001, ...: every candidate."""
    return [f"o{number:03d}" for number in range(workload.offers)]


def model_file(workload: Workload, number: int) -> str:
    """The path of the model with that number, relative to the folder of the workload."""
    if isinstance(workload, SimulatedEnsemble):
        return f"simulated/{number}.txt"
    return f"../{workload.forests.name}/{number % workload.forests.count:02d}.txt"


def player_ids(players: int) -> list[str]:
    """p0000, p0001, ...: every player in the store of a workload."""
    return [f"p{number:04d}" for number in range(players)]


def catalog_of(workload: Workload) -> dict[str, Any]:
    """The catalog of `workload` for the mesh; its paths are relative to the folder of the workload."""
    models = [{"name": name, "uri": model_file(workload, number)} for number, name in enumerate(model_names(workload))]
    combine = {"kind": "mean", "quorum": workload.quorum}
    catalog = {
        "game": workload.game,
        "budget_ms": workload.budget_ms,
        "features": {"store": "sqlite", "path": "players.sqlite", "timeout_ms": 200, "cache_ttl_s": 5},
        "versions": {VERSION: {"traffic": 100, "combine": combine, "models": models}},
    }
    if workload.offers:
        catalog["offers"] = {"path": "offers.csv", "fallback": offer_ids(workload)[0], "rank_by": "score"}
    return catalog


def endpoints_of(workload: SimulatedEnsemble, addresses: Sequence[str]) -> dict[str, Any]:
    """The endpoints of each model: `replicas` consecutive `addresses` per model, in panel order."""
    step = workload.replicas
    models = {
        name: list(addresses[index * step : (index + 1) * step]) for index, name in enumerate(model_names(workload))
    }
    return {workload.game: {VERSION: models}}
