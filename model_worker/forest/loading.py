"""Loads a model into the engine that may serve it, and warms it up."""

from __future__ import annotations

from array import array

from mesh.model_file import BadModel
from model_worker.forest import Candidates, Forest

_WARM_ROWS = 16


def load(model: bytes, library: str, num_threads: int, engine: str | None) -> Forest:
    """The model in `engine`, our own, or without it in LightGBM's `library`; raises `BadModel`."""
    return _warmed_up(_packed(engine, model) if engine else _in_lightgbm(library, model, num_threads))


def _packed(engine: str, model: bytes) -> Forest:
    from model_worker.forest.packed import NotPackedError, PackedForest

    try:
        return PackedForest(engine, model)
    except NotPackedError as error:
        raise BadModel(f"the engine does not take it: {error}") from error


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
