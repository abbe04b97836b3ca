from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from model_worker.forest.comparison import find_difference
from model_worker.forest.lightgbm_c import LightGbmForest
from model_worker.forest.packed import PackedForest
from tests.forests import TrainedForest
from tests.model_worker.forest.mutants import MUTANTS, Mutant, build


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_proof_detects(mutant: Mutant, forests: Mapping[str, TrainedForest], library: str, tmp_path: Path) -> None:
    model = forests[mutant.kind].path.read_bytes()
    difference = find_difference(PackedForest(build(mutant, tmp_path), model), LightGbmForest(library, model), model)
    assert difference is not None
    assert difference.startswith("probe ")
