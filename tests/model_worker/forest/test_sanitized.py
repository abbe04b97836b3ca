"""The engine under the address and undefined-behaviour sanitizers, with sound and damaged models."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

import pytest

from tests.forests import KINDS, TrainedForest
from tests.model_worker.damage import damaged_copies
from tests.model_worker.forest.compiled import HARNESS, SANITIZED, compiled, engine_sources
from tests.random_forests import random_forest

RANDOM_FORESTS = 100
DAMAGED_KINDS = ("binary", "categorical", "multiclass", "missing_zero")


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the program that packs and scores the models in files."""
    sources = [*engine_sources(), HARNESS / "fuzz.c", HARNESS / "replay.c"]
    return compiled(tmp_path_factory.mktemp("harness") / "replay", sources, *SANITIZED)


def run(program: Path, *paths: Path) -> str:
    done = subprocess.run(
        [program, *paths], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def written(models: Iterable[bytes], folder: Path) -> list[Path]:
    paths = []
    for number, model in enumerate(models):
        paths.append(folder / f"{number}.txt")
        paths[-1].write_bytes(model)
    return paths


def test_models_of_every_kind_are_scored_without_a_fault(replay: Path, forests: Mapping[str, TrainedForest]) -> None:
    run(replay, *(forest.path for forest in forests.values()))


def test_random_forests_are_scored_without_a_fault(replay: Path, tmp_path: Path) -> None:
    run(replay, *written((random_forest(Random(seed)) for seed in range(RANDOM_FORESTS)), tmp_path))


@pytest.mark.parametrize("kind", DAMAGED_KINDS)
def test_damaged_copies_are_refused_or_scored_without_a_fault(
    kind: str, replay: Path, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    copies = damaged_copies(forests[kind].path.read_bytes())
    run(replay, *written((copy.model for copy in copies), tmp_path))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "linear_tree"])
def test_failed_allocations_cause_no_wrong_score_and_no_leak(
    kind: str, low_memory: Path, forests: Mapping[str, TrainedForest]
) -> None:
    failures, unit = run(low_memory, forests[kind].path).split()
    assert unit == "failures"
    assert int(failures) > 20


@pytest.fixture(scope="module")
def low_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the program that packs and scores a model, and lets each allocation fail in turn."""
    sources = [*engine_sources(), HARNESS / "low_memory.c"]
    wrapped = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"
    return compiled(tmp_path_factory.mktemp("harness") / "low_memory", sources, *SANITIZED, wrapped)
