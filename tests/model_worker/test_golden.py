"""A worker replays golden rows before it serves: a model with another score is refused with the row and both scores."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.golden import Golden, GoldenRow
from mesh.model_file import BadModel, read_header
from model_worker.artifact import LocalFiles, fetch
from model_worker.forest import Candidates, CandidateTable, Forest
from model_worker.forest.lightgbm_c import LightGbmForest
from model_worker.forest.packed import PackedForest
from model_worker.golden import GoldenRows, read_golden, replay
from model_worker.identity import Engine
from model_worker.kept_proofs import KeptProof, ProofFolder
from model_worker.proof_facts import proof_facts
from tests.forests import KINDS, TrainedForest
from tests.golden_rows import golden_of, write
from tests.model_worker.forest.compiled import ENGINE
from tests.model_worker.forest.mutants import Mutant, build
from tests.model_worker.processes import EndedWorker, RunningWorker, start

LIGHTGBM = Engine("lightgbm", "switched off")
BAD_MODEL = 3


def golden_rows(forest: TrainedForest, golden: Golden, folder: Path) -> GoldenRows:
    """Reads the rows as a worker does."""
    path = write(golden, folder / "rows.golden.jsonl")
    with (artifact := fetch(LocalFiles(), str(forest.path), None)).file:
        return read_golden(LocalFiles(), str(path), None, artifact, read_header(forest.path))


def with_score(golden: Golden, row: int, score: float) -> Golden:
    rows = list(golden.rows)
    rows[row - 1] = GoldenRow(rows[row - 1].values, (score, *rows[row - 1].scores[1:]))
    return replace(golden, rows=tuple(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_lightgbm_and_the_engine_give_the_golden_scores_of_every_kind_of_model(
    kind: str, forests: Mapping[str, TrainedForest], library: str, engine: str, tmp_path: Path
) -> None:
    forest = forests[kind]
    rows, model = golden_rows(forest, golden_of(forest), tmp_path), forest.path.read_bytes()
    replay(rows, LightGbmForest(library, model), LIGHTGBM, model)
    if kind != "linear_tree":
        replay(rows, PackedForest(engine, model), Engine("forest"), model)


class WrongForest:
    """A forest that gives other scores in one form."""

    def __init__(self, forest: Forest, form: str) -> None:
        self._forest = forest
        self._form = form
        self.features, self.classes = forest.features, forest.classes

    def predict(self, rows: bytes, count: int) -> bytes:
        scores = self._forest.predict(rows, count)
        return bytes(len(scores)) if self._form == ("alone" if count == 1 else "together") else scores

    def table(self, candidates: Candidates) -> CandidateTable:
        if self._form == "in factored form":
            candidates = candidates._replace(values=bytes(len(candidates.values)))
        return self._forest.table(candidates)


@pytest.mark.parametrize("form", ["together", "alone", "in factored form"])
def test_fault_in_any_form_of_scoring_is_found(form: str, binary: TrainedForest, library: str, tmp_path: Path) -> None:
    rows, model = golden_rows(binary, golden_of(binary), tmp_path), binary.path.read_bytes()
    with pytest.raises(BadModel, match=rf"golden row \d+: expected 0\.\d+, got .+, scored {form} by lightgbm"):
        replay(rows, WrongForest(LightGbmForest(library, model), form), LIGHTGBM, model)


def test_message_names_the_row_both_scores_their_origin_and_the_values(
    forests: Mapping[str, TrainedForest], library: str, tmp_path: Path
) -> None:
    forest = forests["pandas"]
    golden, model = golden_of(forest), forest.path.read_bytes()
    rows = golden_rows(forest, with_score(golden, 30, 0.25), tmp_path)
    with pytest.raises(BadModel) as refused:
        replay(rows, LightGbmForest(library, model), LIGHTGBM, model)
    (got,) = golden.rows[29].scores
    assert f"{rows.uri}: golden row 30: expected 0.25, got {got!r}, scored together by lightgbm" in refused.value.reason
    assert "the expected scores are of LightGBM 4." in refused.value.reason
    first = next(line for line in model.decode().split("feature_importances:\n")[1].splitlines())
    assert f"values: {first.partition('=')[0]}=" in refused.value.reason


def test_difference_within_the_tolerance_of_the_file_is_accepted(
    binary: TrainedForest, library: str, tmp_path: Path
) -> None:
    golden, model = golden_of(binary, tolerance=1e-9), binary.path.read_bytes()
    (score,) = golden.rows[4].scores
    forest = LightGbmForest(library, model)
    replay(golden_rows(binary, with_score(golden, 5, score + 5e-10), tmp_path), forest, LIGHTGBM, model)
    with pytest.raises(BadModel, match=r"golden row 5: .* \(tolerance 1e-09\)"):
        replay(golden_rows(binary, with_score(golden, 5, score + 2e-9), tmp_path), forest, LIGHTGBM, model)


def test_golden_rows_of_another_model_file_are_refused(forests: Mapping[str, TrainedForest], tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"its golden rows .*: the rows belong to the model file .*, not to"):
        golden_rows(forests["regression"], golden_of(forests["binary"]), tmp_path)


async def test_worker_serves_a_model_that_gives_its_golden_scores(
    forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    forest = forests["pandas"]
    path = write(golden_of(forest), tmp_path / "rows.golden.jsonl")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    worker = await start(forest.path, "--golden", str(path), "--golden-sha256", digest)
    assert isinstance(worker, RunningWorker), worker
    code, stderr = await worker.stop()
    assert code == 0
    assert "forest: scored 64 golden rows as expected, in " in stderr


async def test_worker_refuses_a_model_with_another_score(binary: TrainedForest, tmp_path: Path) -> None:
    golden = golden_of(binary)
    path = write(with_score(golden, 3, 0.5), tmp_path / "rows.golden.jsonl")
    ended = await start(binary.path, "--golden", str(path))
    assert isinstance(ended, EndedWorker), ended
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (BAD_MODEL, "", 1)
    assert f"refused {binary.path}: it does not give the scores of its golden rows {path}: " in ended.stderr
    assert f"golden row 3: expected 0.5, got {golden.rows[2].scores[0]!r}" in ended.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b'{"golden": 1}\n' + b"0" * 65, "the SHA-256 in its last line is not that of its content"),
        (b"PAR1", "the file has no golden rows"),
    ],
)
async def test_worker_refuses_missing_and_damaged_golden_rows(
    content: bytes | None, reason: str, binary: TrainedForest, tmp_path: Path
) -> None:
    path = tmp_path / "rows.golden.jsonl"
    if content is not None:
        path.write_bytes(content)
    ended = await start(binary.path, "--golden", str(path))
    assert isinstance(ended, EndedWorker), ended
    assert ended.code == BAD_MODEL
    assert f"its golden rows {path}: {reason}" in ended.stderr


async def test_engine_whose_fault_the_proof_does_not_know_serves_no_player(
    binary: TrainedForest, library: str, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    for package in ("mesh", "model_worker"):
        ignored = shutil.ignore_patterns("_engine*", "__pycache__")
        shutil.copytree(ENGINE.parents[2] / package, code / package, ignore=ignored)
    fault = Mutant("side", "rank.c", "into->rank = (uint16_t)(thresholds - 1 -", "into->rank = (uint16_t)(thresholds -")
    (built := tmp_path / "built").mkdir()
    faulty = shutil.copy(build(fault, built), code / "model_worker" / "forest" / "_engine.so")
    golden = golden_of(binary)
    # The worker trusts this proof, as if the rows of the proof had not shown the fault.
    facts = proof_facts(golden.model_sha256, library, str(faulty))
    ProofFolder(str(tmp_path / "proofs"), "", facts, pytest.fail).write(KeptProof(None))
    proofs = ("--proofs", str(tmp_path / "proofs"))

    without = await start(binary.path, *proofs, code=code)
    assert isinstance(without, RunningWorker), without
    assert without.engine.name == "forest"
    await without.stop()

    ended = await start(binary.path, *proofs, "--golden", str(write(golden, tmp_path / "rows.jsonl")), code=code)
    assert isinstance(ended, EndedWorker), ended
    assert ended.code == BAD_MODEL
    assert "got 0." in ended.stderr
    assert "scored together by forest" in ended.stderr
