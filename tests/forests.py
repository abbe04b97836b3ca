"""Small real LightGBM models of every kind that the workers must serve; training is fast and seeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

Matrix: TypeAlias = npt.NDArray[np.float64]
Params: TypeAlias = Mapping[str, Any]

FEATURES = 6
CATEGORICAL = (1, 4)  # columns that hold integer categories in the kinds `categorical` and `pandas`
PLATFORMS = ["android", "ios", "steam deck", "wéb"]
TIERS = [10, 20, 30, 40, 50]
_TRAIN_ROWS = 600
_TREES = 12


@dataclass(frozen=True, slots=True)
class TrainedForest:
    """A model file on disk, LightGBM's booster of it, and rows to score with both.

    `rows` is float64 [64, features], with NaN, zeros, infinities, huge and tiny values, and values that are equal to a
    threshold. Category columns hold codes, also unknown codes and NaN.
    """

    kind: str
    path: Path
    booster: lightgbm.Booster
    rows: Matrix

    def scores(self, rows: Matrix) -> Matrix:
        """Returns the scores of plain LightGBM for `rows`: [n], or [n, classes] for multiclass."""
        return np.asarray(self.booster.predict(rows, num_threads=1), dtype=np.float64)


def train(kind: str, folder: Path) -> TrainedForest:
    """Trains the model of `kind` (one of `KINDS`) and saves it as `folder/KIND.txt`."""
    rng = np.random.default_rng(20_261_001)
    path = folder / f"{kind}.txt"
    _RECIPES[kind](rng).save_model(path)
    booster = lightgbm.Booster(model_file=path)
    return TrainedForest(kind, path, booster, _trial_rows(rng, booster))


def pandas_frame(rng: np.random.Generator, count: int, ordered_tier: bool = False) -> pd.DataFrame:
    """Returns players as a data frame: numbers, and the category columns `platform` (text) and `tier` (integers)."""
    frame = pd.DataFrame(_features(rng, count), columns=[f"f{column}" for column in range(FEATURES)])
    frame["f1"] = pd.Categorical(rng.choice(PLATFORMS, count), categories=PLATFORMS)
    frame["f4"] = pd.Categorical(rng.choice(TIERS, count), categories=TIERS, ordered=ordered_tier)
    return frame.rename(columns={"f1": "platform", "f4": "tier"})


def fit(rows: Matrix | pd.DataFrame, labels: Matrix, params: Params, **dataset: Any) -> lightgbm.Booster:
    """Trains a few small trees on `rows`; `params` override the small defaults."""
    small = {"num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "seed": 7}
    data = lightgbm.Dataset(rows, labels, **dataset)
    return lightgbm.train({**small, **params}, data, num_boost_round=_TREES)


def _features(rng: np.random.Generator, count: int) -> Matrix:
    rows = rng.normal(size=(count, FEATURES))
    rows[rng.random(rows.shape) < 0.15] = np.nan
    rows[rng.random(rows.shape) < 0.15] = 0.0
    return rows


def _signal(rows: Matrix) -> Matrix:
    filled = np.nan_to_num(rows, nan=0.7)
    return np.asarray(filled[:, 0] + filled[:, 2] * filled[:, 3] - (rows[:, 5] == 0.0), dtype=np.float64)


def _numeric(rng: np.random.Generator, **params: Any) -> lightgbm.Booster:
    rows = _features(rng, _TRAIN_ROWS)
    signal = _signal(rows)
    objective = str(params["objective"])
    labels = signal
    if objective in ("binary", "cross_entropy"):
        labels = (signal > 0).astype(np.float64)
    elif objective in ("multiclass", "multiclassova", "lambdarank"):
        labels = np.digitize(signal, [-0.5, 0.8]).astype(np.float64)
    elif objective in ("poisson", "tweedie", "gamma"):
        labels = np.exp(np.clip(signal, -3, 3))
    group = {"group": [20] * (_TRAIN_ROWS // 20)} if objective == "lambdarank" else {}
    return fit(rows, labels, params, **group)


def _linear(rng: np.random.Generator) -> lightgbm.Booster:
    rows = _features(rng, _TRAIN_ROWS)
    return fit(rows, _signal(rows), {"objective": "regression", "linear_tree": True})


def _categorical(rng: np.random.Generator) -> lightgbm.Booster:
    rows = _features(rng, _TRAIN_ROWS)
    codes = rng.integers(0, 40, size=(_TRAIN_ROWS, len(CATEGORICAL)))
    rows[:, CATEGORICAL] = codes
    labels = _signal(rows) * 0.1 + (codes[:, 0] % 3 == 1) - (codes[:, 1] % 7 > 3)
    cats = {"min_data_per_group": 5, "cat_smooth": 1}
    return fit(rows, labels, {"objective": "regression", **cats}, categorical_feature=list(CATEGORICAL))


def _missing_or_not(rng: np.random.Generator) -> lightgbm.Booster:
    """Has a column that is either missing or constant: a split on it has the threshold `inf`."""
    rows = _features(rng, _TRAIN_ROWS)
    rows[:, 3] = np.where(rng.random(_TRAIN_ROWS) < 0.5, np.nan, 1.0)
    return fit(rows, _signal(rows) + 3 * np.isnan(rows[:, 3]), {"objective": "regression"})


def _pandas(rng: np.random.Generator) -> lightgbm.Booster:
    frame = pandas_frame(rng, _TRAIN_ROWS)
    likes = frame["platform"].isin(["ios", "wéb"]).to_numpy() + (frame["tier"].astype(float) > 25).to_numpy()
    labels = (np.nan_to_num(frame["f0"].to_numpy()) + likes > 1).astype(np.float64)
    return fit(frame, labels, {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1})


def _trial_rows(rng: np.random.Generator, booster: lightgbm.Booster) -> Matrix:
    rows = _features(rng, 64)
    for column, values in enumerate(_thresholds(booster)):
        if len(values):
            rows[20:40, column] = rng.choice(values, 20)  # exactly on a threshold
    rows[:, CATEGORICAL[0]] = np.where(np.isnan(rows[:, CATEGORICAL[0]]), np.nan, rng.integers(-2, 60, 64))
    special = [np.nan, 0.0, -0.0, np.inf, -np.inf, 1e300, -1e300, 1e-36, -1e-36, 1e-35, 5e-324, 3e9, -1.0]
    for row, value in enumerate(special):
        rows[row] = value
    rows[40:52][rng.random((12, FEATURES)) < 0.4] = np.inf
    return np.ascontiguousarray(rows)


def _thresholds(booster: lightgbm.Booster) -> list[Matrix]:
    nodes = booster.trees_to_dataframe()
    numeric = nodes[nodes["decision_type"] == "<="]
    return [
        numeric.loc[numeric["split_feature"] == name, "threshold"].to_numpy(dtype=np.float64)
        for name in booster.feature_name()
    ]


def _numeric_recipe(**params: Any) -> Callable[[np.random.Generator], lightgbm.Booster]:
    return lambda rng: _numeric(rng, **params)


_RECIPES: dict[str, Callable[[np.random.Generator], lightgbm.Booster]] = {
    "binary": _numeric_recipe(objective="binary"),
    "regression": _numeric_recipe(objective="regression"),
    "poisson": _numeric_recipe(objective="poisson"),
    "multiclass": _numeric_recipe(objective="multiclass", num_class=3),
    "multiclassova": _numeric_recipe(objective="multiclassova", num_class=3),
    "lambdarank": _numeric_recipe(objective="lambdarank"),
    "rf": _numeric_recipe(
        objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.7, feature_fraction=0.8
    ),
    "dart": _numeric_recipe(objective="binary", boosting="dart", drop_rate=0.5),
    "linear_tree": _linear,
    "categorical": _categorical,
    "pandas": _pandas,
    "missing_or_not": _missing_or_not,
    "missing_none": _numeric_recipe(objective="regression", use_missing=False),
    "missing_zero": _numeric_recipe(objective="regression", zero_as_missing=True),
    "missing_nan": _numeric_recipe(objective="regression", use_missing=True, zero_as_missing=False),
}
KINDS: tuple[str, ...] = tuple(_RECIPES)
