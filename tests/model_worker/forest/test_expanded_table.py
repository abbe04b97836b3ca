from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from model_worker.forest import Candidates, Picks
from model_worker.forest.lightgbm_c import LightGbmForest
from tests.forests import TrainedForest

COLUMNS = (1, 4)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "categorical"])
def test_every_request_is_scored_with_every_candidate(
    kind: str, forests: Mapping[str, TrainedForest], library: str
) -> None:
    trained = forests[kind]
    forest = LightGbmForest(library, trained.path.read_bytes())
    shared, candidates = trained.rows[:5], trained.rows[5:12, COLUMNS]
    pairs = np.repeat(shared, len(candidates), axis=0)
    pairs[:, COLUMNS] = np.tile(candidates, (len(shared), 1))

    table = forest.table(Candidates(COLUMNS, candidates.tobytes(), len(candidates)))

    assert table.predict(shared.tobytes(), len(shared)) == trained.scores(pairs).tobytes()


def test_picks_select_candidates_for_each_request(binary: TrainedForest, library: str) -> None:
    forest = LightGbmForest(library, binary.path.read_bytes())
    shared, candidates = binary.rows[:2], binary.rows[5:12, COLUMNS]
    pairs = shared[[0, 1, 1, 1]]
    pairs[:, COLUMNS] = candidates[[6, 0, 3, 3]]
    picks = Picks(np.array([1, 3], np.uint32).tobytes(), np.array([6, 0, 3, 3], np.uint32).tobytes())

    table = forest.table(Candidates(COLUMNS, candidates.tobytes(), len(candidates)))

    assert table.predict(shared.tobytes(), 2, picks) == binary.scores(pairs).tobytes()


def test_candidates_without_columns_have_equal_scores(binary: TrainedForest, library: str) -> None:
    forest = LightGbmForest(library, binary.path.read_bytes())
    scores = forest.table(Candidates((), b"", 3)).predict(binary.rows[:2].tobytes(), 2)
    assert scores == np.repeat(binary.scores(binary.rows[:2]), 3).tobytes()
