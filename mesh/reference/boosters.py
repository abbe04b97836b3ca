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
    return [tuple(row) for row in predict_all(booster, np.array(rows, dtype=np.float64), raw=raw).tolist()]


def predict_all(booster: Any, matrix: NDArray[np.float64], *, raw: bool = False) -> NDArray[np.float64]:
    """Returns the scores of the rows of `matrix` [rows, features], as an array [rows, classes]."""
    scores = np.asarray(booster.predict(matrix, num_threads=1, raw_score=raw), dtype=np.float64)
    return scores.reshape(len(matrix), -1)
