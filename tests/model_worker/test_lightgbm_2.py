"""Models that LightGBM 2.0 to 2.2 saved, with the scores that these versions computed themselves.

The files and `scores.json` in lightgbm_2/ come from the packages lightgbm==2.0.12, 2.1.2, 2.2.2 and 2.2.3.
"""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from mesh.model_file import BadModel
from model_worker.artifact import LocalFiles, fetch
from model_worker.forest.lightgbm_c import find_library
from model_worker.forest.loader import load
from model_worker.forest.packed import find_engine
from model_worker.proving import ProofOptions, start_proof
from model_worker.structure import find_fault

FOLDER = Path(__file__).parent / "lightgbm_2"
SCORES = json.loads((FOLDER / "scores.json").read_text())
REFUSED = {
    "constant-2.1.2.txt": "the model has no trees",
    "random-forest-2.1.2.txt": "the file is too old: .* random forests of LightGBM 2.2.2 and older; train",
    "random-forest-2.2.2.txt": "the file is too old",
}
SERVED = sorted(SCORES.keys() - REFUSED.keys())


def objection(path: Path) -> str | None:
    """Proves the model; returns the reason why our engine must not serve it."""
    artifact = fetch(LocalFiles(), str(path), None)
    with artifact.file:
        return start_proof(artifact, find_library(), find_engine(), ProofOptions(2048, 60, "", ""), print).wait()


@pytest.mark.parametrize("name", SERVED)
def test_old_model_has_the_scores_of_the_version_that_trained_it(name: str) -> None:
    reason = objection(FOLDER / name)
    forest, _ = load((FOLDER / name).read_bytes(), find_library(), 1, find_engine(), reason)
    rows = np.array(SCORES[name]["rows"], dtype=np.float64)
    found = np.frombuffer(forest.predict(rows.tobytes(), len(rows)))
    assert found.tolist() == np.ravel(SCORES[name]["scores"]).tolist()


@pytest.mark.parametrize("name", SERVED)
def test_our_engine_serves_old_models_if_it_is_built(name: str) -> None:
    if find_engine() is None:
        pytest.skip("the engine is not built; install a C compiler")
    assert objection(FOLDER / name) is None


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_old_model_with_other_scores_is_refused_but_not_as_damaged(name: str, reason: str) -> None:
    with pytest.raises(BadModel, match=reason) as refused:
        objection(FOLDER / name)
    assert "damaged" not in refused.value.reason


def test_refused_random_forests_would_get_wrong_scores() -> None:
    for name in ("random-forest-2.1.2.txt", "random-forest-2.2.2.txt"):
        rows = np.array(SCORES[name]["rows"], dtype=np.float64)
        newer = lightgbm.Booster(model_file=FOLDER / name).predict(rows)
        assert np.abs(newer - SCORES[name]["scores"]).max() > 0.1


@pytest.mark.parametrize("name", SERVED)
def test_every_cut_of_the_trees_of_an_old_model_is_a_fault(name: str) -> None:
    model = (FOLDER / name).read_bytes()
    trees_end = model.index(b"feature importances:")
    for end in range(0, trees_end, 7):
        assert find_fault(model[:end]) is not None


def test_unknown_dialect_is_not_only_called_damaged() -> None:
    model = (FOLDER / "binary-2.1.2.txt").read_bytes().replace(b"decision_type=", b"decision_kind=")
    assert "too old" in (find_fault(model) or "")
