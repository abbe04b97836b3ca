"""Trains one LightGBM model per segment on the purchases of the segment's players.

Only this file needs pandas and lightgbm. It imports them when it trains, so that the other programs start faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.dragonfall.offers import Column, Offers
from examples.dragonfall.segments import SEGMENTS
from examples.dragonfall.simulation import Encounters, Players, draw_encounters
from examples.dragonfall.truth import chance

# One thread, because OpenMP threads spin while they wait for each other: on a busy machine two threads can need minutes
# for the work of seconds, and on an idle machine they save little at this size.
THREADS = 1


@dataclass(frozen=True, slots=True)
class Effort:
    """The size of the training; the defaults train all 15 models in seconds."""

    rows: int = 20_000
    trees: int = 120
    leaves: int = 31
    seed: int = 2026


@dataclass(frozen=True, slots=True)
class History:
    """Offers that were shown, and whether the player bought each (1.0) or not (0.0)."""

    encounters: Encounters
    bought: Column


def train_all(players: Players, offers: Offers, folder: Path, effort: Effort) -> Iterator[str]:
    """Trains the models one after another and saves each as `folder`/NAME.txt; yields the name of each saved model."""
    for number, name in enumerate(SEGMENTS):
        history = purchases_of(name, players, offers, effort.rows, effort.seed + number)
        booster = train(features(players, offers, history.encounters), history.bought, effort)
        booster.save_model(folder / f"{name}.txt")
        yield name


def purchases_of(segment: str, players: Players, offers: Offers, rows: int, seed: int) -> History:
    """Simulates `rows` log-ins of the segment's players, with randomly chosen offers.

    The offers are random because a history of well-chosen offers would teach the models only the old choice.
    """
    rng = np.random.default_rng(seed)
    members = np.flatnonzero(SEGMENTS[segment](players.columns))
    encounters = draw_encounters(rng.choice(members, rows), rng.integers(len(offers.ids), size=rows), rng)
    bought = rng.random(rows) < chance(players, offers, encounters)
    return History(encounters, bought.astype(np.float64))


def save_sample(players: Players, offers: Offers, rows: int, seed: int, path: Path) -> None:
    """Saves the features of `rows` log-ins of all players, each with a random offer, as a Parquet file.

    The mesh ranks all offers for players of all segments, so these rows are what the models receive.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(players.ids), size=rows)
    encounters = draw_encounters(chosen, rng.integers(len(offers.ids), size=rows), rng)
    as_frame(features(players, offers, encounters)).to_parquet(path)


def features(players: Players, offers: Offers, encounters: Encounters) -> dict[str, Column]:
    """Returns the features of the models in their column order: player, context, offer."""
    return {
        **{name: column[encounters.player] for name, column in players.columns.items()},
        "session_minutes": encounters.session_minutes,
        "platform": encounters.platform,
        "is_weekend": encounters.is_weekend,
        **{name: column[encounters.offer] for name, column in offers.columns.items()},
    }


def train(columns: dict[str, Column], bought: Column, effort: Effort) -> Any:
    """Trains a booster that predicts the probability of a purchase; the same input gives the same model."""
    import lightgbm

    data = lightgbm.Dataset(as_frame(columns), label=bought, params={"verbose": -1, "num_threads": THREADS})
    settings = {
        "objective": "binary",
        "num_leaves": effort.leaves,
        "learning_rate": 0.05,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.8,
        "seed": effort.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbose": -1,
    }
    return lightgbm.train(settings, data, num_boost_round=effort.trees)


def as_frame(columns: dict[str, Column]) -> Any:
    """Returns a pandas frame; a text column becomes an unordered category with the texts that occur in this segment."""
    import pandas as pd

    return pd.DataFrame({name: _series(column) for name, column in columns.items()})


def _series(column: Column) -> Any:
    import pandas as pd

    if column.dtype.kind != "U":
        return pd.Series(column)
    return pd.Series(pd.Categorical([text or None for text in column.tolist()]))
