"""Loads a model into the engine that serves it: our own where it is there and was proved, else LightGBM."""

from __future__ import annotations

from array import array

from mesh.model_file import BadModel
from model_worker.forest import Candidates, Forest
from model_worker.identity import Engine

SWITCHED_OFF, NOT_BUILT = "switched off", "no engine was built"
_WARM_ROWS = 16


def load(
    model: bytes, library: str, num_threads: int, engine: str | None, objection: str | None
) -> tuple[Forest, Engine]:
    """The model, warm: in `engine`, our own, or in LightGBM's `library` where something speaks against that.

    Raises `BadModel`.
    """
    if engine is None or objection is not None:
        return _warmed_up(_in_lightgbm(library, model, num_threads)), Engine("lightgbm", objection or "")
    return _warmed_up(_packed(engine, model)), Engine("forest")


def _packed(engine: str, model: bytes) -> Forest:
    from model_worker.forest.packed import NotPackedError, PackedForest

    try:
        return PackedForest(engine, model)
    except (NotPackedError, MemoryError) as error:
        raise BadModel(f"the engine does not take it any more: {error or 'out of memory'}") from error


def _in_lightgbm(library: str, model: bytes, num_threads: int) -> Forest:
    from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest

    try:
        return LightGbmForest(library, model, num_threads)
    except LightGbmError as error:
        raise BadModel(f"LightGBM does not take it: {error}") from error


def _warmed_up(forest: Forest) -> Forest:
    """Code and trees are in memory, by all ways of predicting."""
    row = bytes(8 * forest.features)
    forest.predict(row, 1)
    forest.predict(row * _WARM_ROWS, _WARM_ROWS)
    forest.table(Candidates((0,), array("d", range(_WARM_ROWS)).tobytes(), _WARM_ROWS)).predict(row, 1)
    return forest
