"""A game whose players change when an outage begins, so that every score shows which features it was made of."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emulators.fault_process import FaultyDynamoDB
from loadtest.measurement.plan import Plan
from loadtest.micro.features.table import block, serving_table
from loadtest.peers import mesh
from loadtest.workload_files import prepare
from loadtest.workloads import (
    Forests,
    TrainedEnsemble,
    catalog_of,
    model_file,
    model_names,
    player_feature_names,
    player_ids,
)
from mesh.players.features import Columns, PlayerFeatures

ENSEMBLE = TrainedEnsemble(
    "outages",
    "5 small trained models",
    Forests("small-forests", count=5, trees=50, leaves=15, features=20),
    models=5,
    quorum=3,
    players=600,
    budget_ms=300,
)
TIMEOUT_MS = 50
CACHE_TTL_S = 0.5
WRITTEN_S = (1.7e9, 1.75e9)  # write times of the first and of the later features


@dataclass(frozen=True, slots=True)
class World:
    """A running mesh at `address`, its store, and the correct scores of each player: first and later."""

    address: str
    store: FaultyDynamoDB
    scores: Mapping[str, tuple[float, float]]


@contextlib.asynccontextmanager
async def running_world(
    plan: Plan, ensemble: TrainedEnsemble = ENSEMBLE, timeout_ms: float = TIMEOUT_MS
) -> AsyncIterator[World]:
    """Trains the missing models, fills the table with both states of the players, and runs the mesh."""
    prepare(ensemble, plan.folder, plan.progress)
    folder = plan.folder / ensemble.game
    columns = Columns(tuple(player_feature_names(ensemble)), ())
    ids = player_ids(ensemble.players)
    states = [np.random.default_rng(seed).normal(size=(len(ids), ensemble.features)) for seed in (1, 2)]
    first, later = (
        [
            (player, PlayerFeatures(row.astype("<f8").tobytes(), (), written_s))
            for player, row in zip(ids, state, strict=True)
        ]
        for state, written_s in zip(states, WRITTEN_S, strict=True)
    )
    with serving_table(plan.logs, "packed", columns, first, later) as store:
        features = {**block("packed", columns, store.endpoint, timeout_ms), "cache_ttl_s": CACHE_TTL_S}
        catalog: Any = {**catalog_of(ensemble), "features": features}
        (folder / "mesh.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False))
        scores = [_scores(folder, ensemble, state) for state in states]
        async with mesh.up(folder, plan.logs) as ready:
            await mesh.first_full_answer(ready["address"], ensemble)
            yield World(ready["address"], store, dict(zip(ids, zip(*scores, strict=True), strict=True)))


def _scores(folder: Path, ensemble: TrainedEnsemble, rows: Any) -> Sequence[float]:
    """The mean of the scores of all models, computed with LightGBM."""
    import lightgbm

    votes = [
        lightgbm.Booster(model_file=str(folder / model_file(ensemble, number))).predict(rows)
        for number, _ in enumerate(model_names(ensemble))
    ]
    return [float(score) for score in np.mean(votes, axis=0)]
