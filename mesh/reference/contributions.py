"""SHAP values: the contribution of each feature to the raw score of one model, by LightGBM's exact TreeSHAP.

Lundberg et al., "Consistent Individualized Feature Attribution for Tree Ensembles" (2018). The base is the mean raw
score of the training rows; base + contributions = raw score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Misconfigured
from mesh.model_file import read_objective
from mesh.reference import boosters
from mesh.reference.links import Link, link_of

# Rounding of the sums in float64, as a share of the sum of all absolute contributions: at most 1e-15 in the models of
# the tests, 1e-14 with 500 trees of 63 leaves. A value of a wrong leaf, or a lost tree, differs by more than 1e-6.
TOLERANCE = 1e-9
_LINEAR = "are not implemented for linear trees"


class NoContributions(Exception):
    """A model without contributions; `reason` is the end of a sentence that starts with the model."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Forest:
    """A loaded model. `class_index` is the class of its vote; `averaged` is the number of trees that it averages."""

    name: str
    booster: Any
    link: Link
    class_index: int
    averaged: int = 1


@dataclass(frozen=True, slots=True)
class Contributions:
    """The contributions to the raw score of a row, in the order of the model's features; `score` is the vote."""

    base: float
    values: tuple[float, ...]
    raw: float
    score: float


def load_forest(name: str, path: Path, class_index: int | None) -> Forest:
    """Loads the model file at `path`; raises BadModel if its header cannot be read.

    A damaged file can crash LightGBM: callers prove it, or know its digest, first.
    """
    objective, is_averaged = read_objective(path)
    booster = boosters.load(path)
    averaged = booster.num_trees() // booster.num_model_per_iteration() if is_averaged else 1
    return Forest(name, booster, link_of(objective), class_index or 0, averaged)


def score_of(forest: Forest, row: Sequence[float]) -> tuple[float, float]:
    """Returns the raw score and the score of a row."""
    ((raw, score),) = zip(
        (scores[forest.class_index] for scores in boosters.predict(forest.booster, [row], raw=True)),
        (scores[forest.class_index] for scores in boosters.predict(forest.booster, [row])),
        strict=True,
    )
    # LightGBM's raw score of a random forest is the sum of its trees, but its score is the link of their mean.
    return raw / forest.averaged, score


def contributions(forest: Forest, row: Sequence[float]) -> Contributions:
    """Returns the contributions of the features to the raw score of `row` [features].

    Raises NoContributions for linear trees, and Misconfigured if the contributions do not add up to the raw score.
    """
    raw, score = score_of(forest, row)
    of_class = _predicted(forest, row)[forest.class_index] / forest.averaged
    *values, base = of_class.tolist()
    check_sum(f"model {forest.name}", base, values, raw)
    return Contributions(base, tuple(values), raw, score)


def check_sum(what: str, base: float, values: Sequence[float], expected: float) -> None:
    """Raises Misconfigured if `base` and `values` do not add up to `expected` within the rounding of their sum."""
    total = math.fsum((base, *values))
    scale = math.fsum(map(abs, (base, *values)))
    if not abs(total - expected) <= TOLERANCE * max(scale, abs(expected)):  # also if one of them is NaN
        problem = f"the contributions of {what} add up to {total!r}, but the raw score is {expected!r}"
        raise Misconfigured(
            [f"{problem}; save the model again with LightGBM 3 or newer, with the counts of its leaves"]
        )


def _predicted(forest: Forest, row: Sequence[float]) -> NDArray[np.float64]:
    """The contributions and the base of each class [classes, features + 1]."""
    import lightgbm

    matrix = np.array([row], dtype=np.float64)
    try:
        found = forest.booster.predict(matrix, num_threads=1, pred_contrib=True)
    except lightgbm.basic.LightGBMError as error:
        if "linear trees" not in str(error):
            raise
        raise NoContributions(f"{_LINEAR}; train it without linear_tree to have its contributions") from error
    return np.asarray(found, dtype=np.float64).reshape(-1, len(row) + 1)
