"""Golden rows of the trained models of the tests, scored by plain LightGBM."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import lightgbm
import numpy as np

from mesh.category_lists import Category
from mesh.golden import Golden, GoldenRow, encode
from mesh.model_file import ModelHeader, read_header
from tests.forests import TrainedForest


def golden_of(forest: TrainedForest, tolerance: float = 0.0) -> Golden:
    """Returns all rows of `forest` with their scores; codes of categories become the categories themselves."""
    header = read_header(forest.path)
    scores = forest.scores(forest.rows).reshape(len(forest.rows), header.classes)
    return Golden(
        model_sha256=hashlib.sha256(forest.path.read_bytes()).hexdigest(),
        features=header.feature_names,
        categories=tuple(header.categories),
        classes=header.classes,
        tolerance=tolerance,
        scored_by=f"LightGBM {lightgbm.__version__}",
        rows=tuple(
            GoldenRow(tuple(_value(header, name, cell) for name, cell in _named(header, row)), tuple(of_row.tolist()))
            for row, of_row in zip(forest.rows, scores, strict=True)
        ),
    )


def write(golden: Golden, path: Path) -> Path:
    """Writes the file of golden rows, and returns its path."""
    path.write_bytes(encode(golden))
    return path


def _named(header: ModelHeader, row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[tuple[str, float]]:
    return list(zip(header.feature_names, row.tolist(), strict=True))


def _value(header: ModelHeader, name: str, cell: float) -> Category | None:
    if math.isnan(cell):
        return None
    if name not in header.categories:
        return cell
    values = header.categories[name]
    is_known = cell.is_integer() and 0 <= cell < len(values) if math.isfinite(cell) else False
    return values[int(cell)] if is_known else None
