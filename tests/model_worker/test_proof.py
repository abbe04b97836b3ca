from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesh.model_file import BadModel
from model_worker.proof import Proof, trial_command
from tests.forests import KINDS, TrainedForest

pytestmark = pytest.mark.whole_machine  # real time limits

AMPLE_S = 60.0


def prove(model: Path, library: str, memory_mb: int = 2048) -> None:
    with model.open("rb") as file:
        Proof(file, trial_command(library, memory_mb, AMPLE_S), AMPLE_S).wait()


def prove_with(script: str, seconds: float = AMPLE_S) -> None:
    """Runs a proof whose child behaves like LightGBM with a damaged model."""
    with Path(os.devnull).open("rb") as file:
        Proof(file, [sys.executable, "-I", "-S", "-c", script], seconds).wait()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_passes(kind: str, forests: Mapping[str, TrainedForest], library: str) -> None:
    prove(forests[kind].path, library)


def test_file_is_read_from_its_start(model_path: Path, library: str) -> None:
    with model_path.open("rb") as file:
        file.seek(0, io.SEEK_END)
        Proof(file, trial_command(library, 2048, AMPLE_S), AMPLE_S).wait()


def test_damaged_model_is_refused_with_its_fault(model_path: Path, library: str, tmp_path: Path) -> None:
    (damaged := tmp_path / "damaged.txt").write_bytes(model_path.read_bytes()[:1000])
    with pytest.raises(BadModel, match="the file is damaged: tree 0"):
        prove(damaged, library)


def test_infinite_scores_are_refused(forests: Mapping[str, TrainedForest], library: str, tmp_path: Path) -> None:
    # exp() of such a leaf is infinite, but the text has no fault.
    model = forests["poisson"].path.read_bytes().replace(b"objective=poisson", b"objective=gamma  ")
    head, line, tail = model.partition(b"\nleaf_value=")
    values, end, rest = tail.partition(b"\n")
    huge = b" ".join(b"9" * len(value) for value in values.split(b" "))
    (path := tmp_path / "huge.txt").write_bytes(head + line + huge + end + rest)
    with pytest.raises(BadModel, match="its scores are not finite numbers"):
        prove(path, library)


def test_model_is_refused_if_the_child_lacks_memory(model_path: Path, library: str) -> None:
    with pytest.raises(BadModel):
        prove(model_path, library, memory_mb=16)


def test_crash_is_reported_with_its_signal() -> None:
    with pytest.raises(BadModel, match=r"LightGBM crashed in the trial run \(SIGSEGV\)"):
        prove_with("import _signal, os; os.kill(os.getpid(), _signal.SIGSEGV)")


def test_child_that_hangs_is_killed_and_the_model_refused() -> None:
    with pytest.raises(BadModel, match=r"no result after 0.2 s"):
        prove_with("import time; time.sleep(1000)", seconds=0.2)


def test_child_that_computes_too_long_is_killed_and_the_model_refused() -> None:
    script = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    with pytest.raises(BadModel, match="all the CPU time of --proof-s"):
        prove_with(script)
