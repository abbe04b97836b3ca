"""Loads a model into the engine that serves it: our own engine if it is proved, else LightGBM."""

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
    """Loads and warms up the model: in our own engine, or in LightGBM if there is an `objection` to our own.

    `engine` is the path of our shared library, None without one; `library` is the path of LightGBM's.
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
        raise BadModel(f"the engine cannot load it after its proof: {error or 'out of memory'}") from error


def _in_lightgbm(library: str, model: bytes, num_threads: int) -> Forest:
    from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest

    try:
        return LightGbmForest(library, model, num_threads)
    except LightGbmError as error:
        raise BadModel(f"LightGBM cannot load it: {error}") from error


def _warmed_up(forest: Forest) -> Forest:
    """Predicts in every way once, so that code and trees are in memory."""
    row = bytes(8 * forest.features)
    forest.predict(row, 1)
    forest.predict(row * _WARM_ROWS, _WARM_ROWS)
    forest.table(Candidates((0,), array("d", range(_WARM_ROWS)).tobytes(), _WARM_ROWS)).predict(row, 1)
    return forest
