from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from model_worker.forest import Candidates, Picks
from model_worker.forest.comparison import find_difference
from model_worker.forest.lightgbm_c import LightGbmForest
from model_worker.forest.packed import NotPackedError, PackedForest
from tests.forests import KINDS, TrainedForest
from tests.model_worker.forest.score_check import check_scores, scores

PACKED_KINDS = [kind for kind in KINDS if kind != "linear_tree"]
COLUMNS = (1, 4)


@pytest.mark.parametrize("kind", PACKED_KINDS)
def test_scores_equal_those_of_lightgbm_to_the_last_bit(
    kind: str, forests: Mapping[str, TrainedForest], engine: str
) -> None:
    trained = forests[kind]
    check_scores(PackedForest(engine, trained.path.read_bytes()), trained)


@pytest.mark.parametrize("kind", PACKED_KINDS)
@pytest.mark.parametrize("count", [1, 15, 64, 128, 129, 300])
def test_candidates_have_the_scores_of_their_rows(
    kind: str, count: int, forests: Mapping[str, TrainedForest], engine: str
) -> None:
    trained = forests[kind]
    forest = PackedForest(engine, trained.path.read_bytes())
    shared = trained.rows[:12]
    candidates = np.ascontiguousarray(np.resize(trained.rows, (count, trained.rows.shape[1]))[:, COLUMNS])
    pairs = np.repeat(shared, count, axis=0)
    pairs[:, COLUMNS] = np.tile(candidates, (len(shared), 1))
    expected = trained.scores(pairs)

    table = forest.table(Candidates(COLUMNS, candidates.tobytes(), count))

    assert table.predict(shared.tobytes(), len(shared)) == expected.tobytes()
    assert scores(forest, pairs) == expected.tobytes()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "categorical"])
def test_picks_in_any_number_and_order_get_their_scores(
    kind: str, forests: Mapping[str, TrainedForest], engine: str
) -> None:
    trained = forests[kind]
    forest = PackedForest(engine, trained.path.read_bytes())
    candidates = np.ascontiguousarray(np.resize(trained.rows, (200, trained.rows.shape[1]))[:, COLUMNS])
    counts = np.array([1, 200, 3, 5, 1, 1, 40, 2, 9], np.uint32)
    positions = np.random.default_rng(3).integers(0, len(candidates), counts.sum()).astype(np.uint32)
    shared = trained.rows[: len(counts)]
    pairs = np.repeat(shared, counts, axis=0)
    pairs[:, COLUMNS] = candidates[positions]

    table = forest.table(Candidates(COLUMNS, candidates.tobytes(), len(candidates)))
    got = table.predict(shared.tobytes(), len(shared), Picks(counts.tobytes(), positions.tobytes()))

    assert got == trained.scores(pairs).tobytes()


def test_candidates_without_columns_have_equal_scores(binary: TrainedForest, engine: str) -> None:
    forest = PackedForest(engine, binary.path.read_bytes())
    got = forest.table(Candidates((), b"", 3)).predict(binary.rows[:2].tobytes(), 2)
    assert got == np.repeat(binary.scores(binary.rows[:2]), 3).tobytes()


@pytest.mark.parametrize("kind", PACKED_KINDS)
def test_engine_equals_lightgbm_on_all_probes(
    kind: str, forests: Mapping[str, TrainedForest], engine: str, library: str
) -> None:
    model = forests[kind].path.read_bytes()
    assert find_difference(PackedForest(engine, model), LightGbmForest(library, model), model) is None


def test_linear_trees_cannot_be_packed(forests: Mapping[str, TrainedForest], engine: str) -> None:
    with pytest.raises(NotPackedError, match="linear trees"):
        PackedForest(engine, forests["linear_tree"].path.read_bytes())
