from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest
from tests.forests import KINDS, TrainedForest
from tests.model_worker.forest.score_check import check_scores, scores


@pytest.mark.parametrize("kind", KINDS)
def test_scores_equal_those_of_lightgbm_to_the_last_bit(
    kind: str, forests: Mapping[str, TrainedForest], library: str
) -> None:
    trained = forests[kind]
    check_scores(LightGbmForest(library, trained.path.read_bytes()), trained)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_more_threads_give_the_same_scores(kind: str, forests: Mapping[str, TrainedForest], library: str) -> None:
    trained = forests[kind]
    rows = np.tile(trained.rows, (40, 1))
    forest = LightGbmForest(library, trained.path.read_bytes(), num_threads=2)
    assert scores(forest, rows) == trained.scores(rows).tobytes()


def test_forest_has_the_columns_and_classes_of_the_model(forests: Mapping[str, TrainedForest], library: str) -> None:
    forest = LightGbmForest(library, forests["multiclass"].path.read_bytes())
    assert (forest.features, forest.classes) == (6, 3)


def test_error_of_lightgbm_keeps_its_message(library: str) -> None:
    with pytest.raises(LightGbmError, match="number of classes"):
        LightGbmForest(library, b"no model")


def test_missing_library_is_an_error() -> None:
    with pytest.raises(LightGbmError, match="cannot load LightGBM"):
        LightGbmForest("/nowhere/lib_lightgbm.so", b"")


def test_worker_imports_no_heavy_package() -> None:
    script = (
        "import sys; import model_worker.__main__, model_worker.server\n"
        "print([name for name in ('lightgbm', 'numpy', 'scipy', 'pydantic', 'rich', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
