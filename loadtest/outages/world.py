"""A game whose players change while the store fails, so that every answer tells which features it was made of."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emulators.fault_process import FaultyDynamoDB
from loadtest.features.table import block, serving_table
from loadtest.peers import mesh
from loadtest.plan import Plan
from loadtest.training import prepare
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
WRITTEN_S = (1.7e9, 1.75e9)  # the players' first features, and the later ones


@dataclass(frozen=True, slots=True)
class World:
    """A mesh that runs at `address`, its store, and what each player's score is: [first, later] by player id."""

    address: str
    store: FaultyDynamoDB
    scores: Mapping[str, tuple[float, float]]


@contextlib.asynccontextmanager
async def running_world(plan: Plan) -> AsyncIterator[World]:
    """Trains the models, unless they are there, fills both states of the table and starts the mesh."""
    prepare(ENSEMBLE, plan.folder, plan.progress)
    folder = plan.folder / ENSEMBLE.game
    columns = Columns(tuple(player_feature_names(ENSEMBLE)), ())
    ids = player_ids(ENSEMBLE.players)
    states = [np.random.default_rng(seed).normal(size=(len(ids), ENSEMBLE.features)) for seed in (1, 2)]
    first, later = (
        [
            (player, PlayerFeatures(row.astype("<f8").tobytes(), (), written_s))
            for player, row in zip(ids, state, strict=True)
        ]
        for state, written_s in zip(states, WRITTEN_S, strict=True)
    )
    with serving_table(plan.logs, "packed", columns, first, later) as store:
        features = {**block("packed", columns, store.endpoint, TIMEOUT_MS), "cache_ttl_s": CACHE_TTL_S}
        catalog: Any = {**catalog_of(ENSEMBLE), "features": features}
        (folder / "mesh.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False))
        truths = [_scores(folder, state) for state in states]
        async with mesh.up(folder, plan.logs) as ready:
            await mesh.first_full_answer(ready["address"], ENSEMBLE)
            yield World(ready["address"], store, dict(zip(ids, zip(*truths, strict=True), strict=True)))


def _scores(folder: Path, rows: Any) -> Sequence[float]:
    """The mean of the models' scores, as LightGBM alone gives them."""
    import lightgbm

    votes = [
        lightgbm.Booster(model_file=str(folder / model_file(ENSEMBLE, number))).predict(rows)
        for number, _ in enumerate(model_names(ENSEMBLE))
    ]
    return [float(score) for score in np.mean(votes, axis=0)]
