"""Loads a model into the engine that serves it: the workers' own where it is there and proved, else LightGBM."""

from __future__ import annotations

from mesh.model_file import BadModel
from model_worker.forest import Forest
from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest
from model_worker.identity import Engine
from model_worker.settings import Settings


def load(library: str, model: bytes, settings: Settings) -> tuple[Forest, Engine]:
    """The forest, warm: code and trees are in memory, by both ways of predicting; raises `BadModel`."""
    try:
        forest = LightGbmForest(library, model, settings.num_threads)
        for count in (1, 16):
            forest.predict(bytes(8 * forest.features * count), count)
    except LightGbmError as error:
        raise BadModel(f"LightGBM does not take it: {error}") from error
    return forest, Engine("lightgbm", "switched off" if settings.engine == "lightgbm" else "no engine was built")
