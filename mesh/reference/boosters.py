"""LightGBM's package: loads model files and scores rows. A damaged file can crash it, so callers prove files first.

Its import takes a second, so it is imported when the first file is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def lightgbm_version() -> str:
    """Returns the name and the version of the package, such as `LightGBM 4.6.0`."""
    return f"LightGBM {version('lightgbm')}"


def load(path: str | Path) -> Any:
    """Returns the booster of a model file."""
    import lightgbm

    # Otherwise it prints warnings to stdout, which belongs to the results of a command.
    lightgbm.register_logger(logging.getLogger("lightgbm"))
    return lightgbm.Booster(model_file=path)


def predict(booster: Any, rows: Sequence[Sequence[float]], *, raw: bool = False) -> list[tuple[float, ...]]:
    """Returns the scores of `rows` [rows, features], as a tuple of one score per class; `raw`: before the transform."""
    matrix = np.array(rows, dtype=np.float64)
    scores = np.asarray(booster.predict(matrix, num_threads=1, raw_score=raw), dtype=np.float64)
    return [tuple(row) for row in scores.reshape(len(rows), -1).tolist()]


def predict_matrix(booster: Any, rows: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
    """Returns the scores of many rows [rows, features] as [rows, classes]; all calls of a process use equal `threads`.

    A row has the same score, to the bit, with every number of threads: LightGBM divides the work by rows.
    """
    if not len(rows):
        return np.empty((0, booster.num_model_per_iteration()))
    scores = np.asarray(booster.predict(rows, num_threads=threads), dtype=np.float64)
    return scores.reshape(len(rows), -1)
