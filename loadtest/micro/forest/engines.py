"""Finds and loads the two engines as a worker does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import CannotMeasure
from model_worker.forest import Forest
from model_worker.forest.lightgbm_c import LightGbmForest, find_library
from model_worker.forest.packed import NotPackedError, PackedForest, find_engine

LIGHTGBM, PACKED = "LightGBM", "engine"


@dataclass(frozen=True, slots=True)
class Libraries:
    """The paths of the libraries of LightGBM and of our engine."""

    lightgbm: str
    engine: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One model in both engines."""

    lightgbm: Forest
    packed: Forest


def find_libraries() -> Libraries:
    """Both libraries; raises CannotMeasure if the engine was not built."""
    if (engine := find_engine()) is None:
        raise CannotMeasure("the scoring engine was not built; install a C compiler, then install the project again")
    return Libraries(find_library(), engine)


def load_pairs(libraries: Libraries, files: Sequence[Path]) -> list[Pair]:
    """Every model in both engines; raises CannotMeasure if the engine rejects a model."""
    return [_pair(libraries, file) for file in files]


def _pair(libraries: Libraries, file: Path) -> Pair:
    model = file.read_bytes()
    try:
        return Pair(LightGbmForest(libraries.lightgbm, model), PackedForest(libraries.engine, model))
    except NotPackedError as error:
        raise CannotMeasure(f"the scoring engine rejects {file}: {error}") from error
