"""Under the address and undefined-behaviour sanitizers, no model and no damage makes the engine do what C forbids."""

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
    """The program that packs and scores the models in files."""
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


def test_models_of_every_kind_are_scored_soundly(replay: Path, forests: Mapping[str, TrainedForest]) -> None:
    run(replay, *(forest.path for forest in forests.values()))


def test_random_forests_are_scored_soundly(replay: Path, tmp_path: Path) -> None:
    run(replay, *written((random_forest(Random(seed)) for seed in range(RANDOM_FORESTS)), tmp_path))


@pytest.mark.parametrize("kind", DAMAGED_KINDS)
def test_damaged_copies_are_refused_or_scored_soundly(
    kind: str, replay: Path, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    copies = damaged_copies(forests[kind].path.read_bytes())
    run(replay, *written((copy.model for copy in copies), tmp_path))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "linear_tree"])
def test_without_memory_nothing_is_scored_wrongly_nor_lost(
    kind: str, scarce: Path, forests: Mapping[str, TrainedForest]
) -> None:
    failures, word = run(scarce, forests[kind].path).split()
    assert word == "failures"
    assert int(failures) > 20


@pytest.fixture(scope="module")
def scarce(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that packs and scores a model while one allocation after the other fails."""
    sources = [*engine_sources(), HARNESS / "scarce.c"]
    wrapped = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"
    return compiled(tmp_path_factory.mktemp("harness") / "scarce", sources, *SANITIZED, wrapped)
