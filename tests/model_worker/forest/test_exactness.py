"""The scores of the engine equal LightGBM's to the last bit, in every form of request."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.dragonfall.offers import read_offers
from examples.dragonfall.simulation import simulate_players
from examples.dragonfall.training import Effort, train_all
from model_worker.forest import Candidates, Forest, Picks
from model_worker.forest.lightgbm_c import LightGbmForest
from model_worker.forest.packed import PackedForest
from tests.forests import KINDS, Matrix, TrainedForest
from tests.random_forests import random_forest
from tests.random_rows import random_rows, values_to_try

FORESTS = 200
MIN_SCORES = 15_000_000
ROWS = 60
REQUESTS, CANDIDATES = 80, 270  # more candidates than two blocks of the engine hold
MAX_VALUES = 800_000  # in the rows of all pairs
SMALL_EFFORT = Effort(rows=2_000, trees=40)


class Comparison:
    """Compares the engine with LightGBM, the judge, on one model; counts the equal scores."""

    def __init__(self, model: bytes, engine: str, library: str, seed: int) -> None:
        self.engine: Forest = PackedForest(engine, model)
        self.judge: Forest = LightGbmForest(library, model)
        assert (self.engine.features, self.engine.classes) == (self.judge.features, self.judge.classes)
        self.rng = np.random.default_rng(seed)
        self.values = values_to_try(model)
        self.compared = 0

    def run(self) -> int:
        """Compares the scores of rows, of all candidates, and of picks; returns the number of equal scores."""
        self.compare_rows(self.rows(ROWS))
        few = max(1, MAX_VALUES // (CANDIDATES * self.engine.features))
        self.compare_lists(min(REQUESTS, few), CANDIDATES if few > 1 else 20)
        return self.compared

    def rows(self, count: int) -> Matrix:
        return random_rows(self.rng, self.judge.features, self.values, count)

    def compare_rows(self, rows: Matrix) -> None:
        one_by_one = b"".join(self.engine.predict(row.tobytes(), 1) for row in rows)
        self.check("by row", one_by_one, self.expected(rows))

    def compare_lists(self, requests: int, count: int) -> None:
        columns = self.candidate_columns()
        shared, own = self.rows(requests), np.ascontiguousarray(self.rows(count)[:, columns])
        pairs = np.repeat(shared, count, axis=0)
        pairs[:, columns] = np.tile(own, (requests, 1))
        expected = self.expected(pairs)
        self.check("in rows that are lists", self.engine.predict(pairs.tobytes(), len(pairs)), expected)
        order = self.rng.permutation(len(pairs))
        self.check("in a batch", self.engine.predict(pairs[order].tobytes(), len(pairs)), expected[order])
        table = self.engine.table(Candidates(tuple(columns.tolist()), own.tobytes(), count))
        self.check("as a list", table.predict(shared.tobytes(), requests), expected)
        picks, chosen = self.picks(requests, count)
        self.check("picked", table.predict(shared.tobytes(), requests, picks), expected[chosen])

    def candidate_columns(self) -> npt.NDArray[np.intp]:
        """Returns none, some or all columns, also columns that no tree reads."""
        share = self.rng.choice([0.0, 0.1, 0.25, 0.5, 1.0])
        return np.flatnonzero(self.rng.random(self.judge.features) < share)

    def picks(self, requests: int, count: int) -> tuple[Picks, npt.NDArray[np.intp]]:
        """Returns picks in random order, some of them twice, and the positions of their pairs."""
        counts = self.rng.choice([1, 2, 4, 5, count // 2, 2 * count], requests)
        positions = self.rng.integers(0, count, counts.sum())
        chosen = np.repeat(np.arange(requests), counts) * count + positions
        return Picks(counts.astype(np.uint32).tobytes(), positions.astype(np.uint32).tobytes()), chosen

    def expected(self, rows: Matrix) -> Matrix:
        scores = np.frombuffer(self.judge.predict(rows.tobytes(), len(rows)))
        return scores.reshape(len(rows), self.judge.classes)

    def check(self, form: str, scores: bytes, expected: Matrix) -> None:
        differ = np.frombuffer(scores).view(np.uint64) != np.ascontiguousarray(expected).view(np.uint64).ravel()
        assert not differ.any(), f"{differ.sum()} scores differ {form}, the first at {differ.argmax()}"
        self.compared += len(differ)


def test_fifteen_million_scores_of_random_forests_equal_lightgbm(engine: str, library: str) -> None:
    compared = 0
    for seed in range(FORESTS):
        comparison = Comparison(random_forest(Random(seed)), engine, library, seed)
        try:
            compared += comparison.run()
        except AssertionError as difference:
            pytest.fail(f"forest {seed}: {difference}")
    assert compared >= MIN_SCORES


@given(rng=st.randoms(use_true_random=False), seed=st.integers(0, 2**32 - 1))
def test_scores_of_small_forests_equal_lightgbm(rng: Random, seed: int, engine: str, library: str) -> None:
    Comparison(random_forest(rng, max_trees=2, max_leaves=5), engine, library, seed).compare_lists(3, 20)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "linear_tree"])
def test_scores_of_every_kind_equal_lightgbm(
    kind: str, forests: Mapping[str, TrainedForest], engine: str, library: str
) -> None:
    comparison = Comparison(forests[kind].path.read_bytes(), engine, library, seed=1)
    assert comparison.run() > 3 * REQUESTS * CANDIDATES


def test_scores_of_the_example_equal_lightgbm(tmp_path: Path, engine: str, library: str) -> None:
    models = train_all(simulate_players(2_000, seed=1), read_offers(), tmp_path, SMALL_EFFORT)
    for name in islice(models, 3):
        comparison = Comparison((tmp_path / f"{name}.txt").read_bytes(), engine, library, seed=1)
        assert comparison.run() > 3 * REQUESTS * CANDIDATES
