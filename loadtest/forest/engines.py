"""The two engines, found and loaded as a worker does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.faults import CannotMeasure
from model_worker.forest import Forest
from model_worker.forest.lightgbm_c import LightGbmForest, find_library
from model_worker.forest.packed import NotPackedError, PackedForest, find_engine

LIGHTGBM, PACKED = "LightGBM", "engine"


@dataclass(frozen=True, slots=True)
class Libraries:
    """The paths of LightGBM's library and of our engine's."""

    lightgbm: str
    engine: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One model in both engines."""

    lightgbm: Forest
    packed: Forest


def find_libraries() -> Libraries:
    """Both libraries; raises CannotMeasure without the engine's."""
    if (engine := find_engine()) is None:
        raise CannotMeasure("the engine was not built: install the project again where there is a C compiler")
    return Libraries(find_library(), engine)


def load_pairs(libraries: Libraries, files: Sequence[Path]) -> list[Pair]:
    """Every model in both engines; raises CannotMeasure when the engine takes one of them not."""
    return [_pair(libraries, file) for file in files]


def _pair(libraries: Libraries, file: Path) -> Pair:
    model = file.read_bytes()
    try:
        return Pair(LightGbmForest(libraries.lightgbm, model), PackedForest(libraries.engine, model))
    except NotPackedError as error:
        raise CannotMeasure(f"the engine does not take {file}: {error}") from error
