"""A fault of the engine is an objection to the engine, not to the model: LightGBM serves the model instead."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from model_worker.proof import Proof, trial_command
from model_worker.trial import PROOF_FAILED
from tests.model_worker.forest.compiled import ENGINE
from tests.model_worker.forest.mutants import Mutant, build
from tests.model_worker.processes import RunningWorker, start

pytestmark = pytest.mark.whole_machine  # real time limits

AMPLE_S = 60.0
MEMORY_MB = 1024


def objection(mutant: Mutant, model: Path, library: str, folder: Path, cpu_s: float, wall_s: float) -> str | None:
    """Returns the result of the proof for an engine with a fault."""
    command = trial_command(library, MEMORY_MB, cpu_s, build(mutant, folder))
    with model.open("rb") as file:
        return Proof(file, command, wall_s).wait()


PACK = "packer to = {.packed"
PREDICT = "uint32_t limit = f->columns / 4;"
HOARD = (
    "for (size_t size = 1 << 20; size >= 1 << 10; size /= 4)"
    " for (void *part; (part = malloc(size)) != NULL;) memset(part, 1, size);"
)


@pytest.mark.parametrize(
    ("source", "place", "fault", "expected"),
    [
        (
            "rows.c",
            "(*first < value)",
            "(*first <= value)",
            r"the proof failed: probe \d+ scored by row: \[.+\] instead of",
        ),
        (
            "pairs.c",
            "<< count % 64) - 1",
            "<< count % 64) - 2",
            r"the proof failed: probe \d+ scored as lists among rows: ",
        ),
        ("pack.c", PACK, f"abort(); {PACK}", r"the proof failed: the engine crashed \(SIGABRT\)"),
        ("lists.c", PREDICT, f"*(volatile int *)8 = 1; {PREDICT}", r"the proof failed: the engine crashed \(SIGSEGV\)"),
        ("lists.c", PREDICT, f"for (;;); {PREDICT}", "the proof failed: the engine used all the CPU time of --proof-s"),
        ("pack.c", PACK, f"exit(3); {PACK}", "the proof failed: the engine failed"),
        ("pack.c", PACK, f"{HOARD} {PACK}", "the proof failed: out of memory"),
        ("lists.c", PREDICT, f"{HOARD} {PREDICT}", "the proof failed: out of memory"),
    ],
    ids=["threshold", "mask", "crash in packing", "crash", "hang", "exit", "no memory in packing", "no memory"],
)
def test_fault_of_an_engine_is_reported(
    source: str, place: str, fault: str, expected: str, model_path: Path, library: str, tmp_path: Path
) -> None:
    result = objection(Mutant(fault, source, place, fault), model_path, library, tmp_path, cpu_s=2, wall_s=AMPLE_S)
    assert re.match(expected, result or "no objection")


def test_engine_that_only_waits_is_an_objection(model_path: Path, library: str, tmp_path: Path) -> None:
    waits = Mutant("waits", "lists.c", PREDICT, f"int pause(void); for (;;) pause(); {PREDICT}")
    result = objection(waits, model_path, library, tmp_path, cpu_s=AMPLE_S, wall_s=3.0)
    assert result == "the proof failed: the engine had no result after 3 s (--proof-s)"


def test_sound_engine_has_no_objection(model_path: Path, library: str, tmp_path: Path) -> None:
    sound = Mutant("none", "rows.c", "SMALLEST = 1e-35f", "SMALLEST = 1e-35f")
    assert objection(sound, model_path, library, tmp_path, cpu_s=AMPLE_S, wall_s=AMPLE_S) is None


async def test_worker_with_a_faulty_engine_serves_with_lightgbm_and_warns(model_path: Path, tmp_path: Path) -> None:
    project, code = ENGINE.parents[2], tmp_path / "code"
    for package in ("mesh", "model_worker"):
        shutil.copytree(project / package, code / package, ignore=shutil.ignore_patterns("_engine*", "__pycache__"))
    wrong_side = Mutant(
        "side", "rank.c", "into->rank = (uint16_t)(thresholds - 1 -", "into->rank = (uint16_t)(thresholds -"
    )
    (build_in := tmp_path / "built").mkdir()
    shutil.copy(build(wrong_side, build_in), code / "model_worker" / "forest" / "_engine.so")

    worker = await start(model_path, code=code)

    assert isinstance(worker, RunningWorker), worker
    _, stderr = await worker.stop()
    assert (worker.engine.name, worker.engine.cause) == ("lightgbm", PROOF_FAILED)
    assert "WARNING" in stderr
    assert f"forest: scored by {worker.engine}" in stderr
