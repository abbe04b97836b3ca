"""The contributions of real models of every kind add up to their raw scores."""

from __future__ import annotations

import math
import re
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.errors import Misconfigured
from mesh.reference import contributions as explained
from mesh.reference.contributions import Forest, NoContributions, contributions, load_forest
from mesh.reference.links import IDENTITY, link_of
from tests.forests import FEATURES, KINDS, TrainedForest, train

CLASSES = {"multiclass": 2, "multiclassova": 1}
INVERSES = {
    "score": lambda raw: raw,
    "log odds of the score": lambda raw: 1 / (1 + math.exp(-raw)),
    "logarithm of the score": math.exp,
}


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind != "linear_tree"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train(request.param, tmp_path_factory.mktemp("models"))


@pytest.fixture
def forest(trained: TrainedForest) -> Forest:
    return load_forest(trained.kind, trained.path, CLASSES.get(trained.kind))


def test_base_and_contributions_add_up_to_the_raw_score(trained: TrainedForest, forest: Forest) -> None:
    for row in trained.rows.tolist():
        found = contributions(forest, row)
        assert math.fsum((found.base, *found.values)) == pytest.approx(found.raw, rel=1e-12, abs=1e-12)


def test_link_of_the_raw_score_is_the_vote(trained: TrainedForest, forest: Forest) -> None:
    rows, votes = trained.rows.tolist(), trained.scores(trained.rows).reshape(len(trained.rows), -1)
    for row, vote in zip(rows, votes[:, forest.class_index].tolist(), strict=True):
        found = contributions(forest, row)
        assert found.score == vote
        if not forest.link.is_shared:
            assert INVERSES[forest.link.unit](found.raw) == pytest.approx(vote, rel=1e-12)


def test_feature_without_a_split_contributes_nothing(trained: TrainedForest, forest: Forest) -> None:
    unused = np.flatnonzero(trained.booster.feature_importance("split") == 0)
    for row in trained.rows.tolist():
        assert all(contributions(forest, row).values[column] == 0.0 for column in unused)


def test_contributions_are_the_shapley_values_by_their_definition(tmp_path: Path) -> None:
    trained = train("regression", tmp_path)
    trees = [tree["tree_structure"] for tree in trained.booster.dump_model()["tree_info"]]
    row = [0.3, -0.8, 1.1, 0.4, -0.2, 0.9]
    known = {
        chosen: sum(expected(tree, row, chosen) for tree in trees)
        for size in range(FEATURES + 1)
        for chosen in combinations(range(FEATURES), size)
    }
    found = contributions(load_forest("model", trained.path, None), row)
    assert found.base == pytest.approx(known[()])
    for feature, contribution in enumerate(found.values):
        gains = [
            (known[tuple(sorted((*chosen, feature)))] - value) / (FEATURES * comb(FEATURES - 1, len(chosen)))
            for chosen, value in known.items()
            if feature not in chosen
        ]
        assert contribution == pytest.approx(sum(gains))


def expected(node: dict[str, Any], row: list[float], known: tuple[int, ...]) -> float:
    """The expected value of a tree if only some features of a row are known: by the training rows of each branch."""
    if "leaf_value" in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expected(left if row[node["split_feature"]] <= node["threshold"] else right, row, known)
    counts: list[int] = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
    values = [expected(child, row, known) for child in (left, right)]
    return sum(count * value for count, value in zip(counts, values, strict=True)) / float(sum(counts))


def test_linear_trees_have_no_contributions(tmp_path: Path) -> None:
    trained = train("linear_tree", tmp_path)
    with pytest.raises(NoContributions, match="not implemented for linear trees"):
        contributions(load_forest("linear", trained.path, None), trained.rows[0].tolist())


def test_contributions_that_do_not_add_up_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = train("binary", tmp_path)
    forest = load_forest("whales", trained.path, None)
    right = explained._predicted
    monkeypatch.setattr(explained, "_predicted", lambda *given: right(*given) * (1 + 1e-6))
    with pytest.raises(Misconfigured, match="the contributions of model whales add up to"):
        contributions(forest, trained.rows[0].tolist())


def test_model_without_counts_is_an_error(tmp_path: Path) -> None:
    trained = train("binary", tmp_path)
    lines = trained.path.read_text().split("\n")
    counted = ("leaf_count=", "internal_count=")
    kept = [re.sub(r"\d", "0", line) if line.startswith(counted) else line for line in lines]  # of the same length
    damaged = tmp_path / "without-counts.txt"
    damaged.write_text("\n".join(kept))
    with pytest.raises(Misconfigured, match="the counts of its leaves"):
        contributions(load_forest("old", damaged, None), trained.rows[0].tolist())


@pytest.mark.parametrize(
    ("objective", "unit"),
    [
        ("binary sigmoid:1", "log odds of the score"),
        ("binary sigmoid:0.7", "log odds of the score / 0.7"),
        ("regression sqrt", "square root of the score"),
        ("poisson sqrt", "logarithm of the score"),
        ("multiclassova num_class:3 sigmoid:1", "log odds of the score"),
    ],
)
def test_unit_of_a_raw_score_follows_the_objective(objective: str, unit: str) -> None:
    assert link_of(objective).unit == unit


@pytest.mark.parametrize("objective", ["regression", "lambdarank", "quantile", "custom", ""])
def test_raw_score_of_other_objectives_is_the_score(objective: str) -> None:
    assert link_of(objective) == IDENTITY
