"""Reads rows with their scores from a Parquet file for the golden rows of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from mesh.cli.publish.frame_types import header_in, missing_columns, wrong_type
from mesh.errors import Misconfigured, unreadable
from mesh.model_file import ModelHeader
from mesh.reference.golden_rows import MAX_ROWS, GivenRow
from mesh.reference.values import Value

SCORE = "score"


class GoldenTable:
    """The Parquet file at `path`. Raises Misconfigured if it cannot be read or has too many rows or none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._table = pyarrow.parquet.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, error, "save the rows with DataFrame.to_parquet") from error
        if not 1 <= self._table.num_rows <= MAX_ROWS:
            raise Misconfigured([f"{path}: has {self._table.num_rows:,} rows; keep 1 to {MAX_ROWS:,} of them"])

    def header_of(self, header: ModelHeader) -> ModelHeader:
        """Returns `header` with its categories by column; raises Misconfigured if the file does not show them."""
        return header_in(self._table.schema, header, self.path)

    def rows_of(self, model: str, header: ModelHeader, *, is_only: bool) -> list[GivenRow]:
        """Returns the rows for `model`, whose scores are in the column `score.MODEL`, or in `score` if it `is_only`.

        Raises Misconfigured with all columns that are missing or of a wrong type.
        """
        if missing := missing_columns(self._table.schema, header.feature_names):
            problem = f"has no column {missing}, which {model} needs"
            raise Misconfigured([f"{self.path}: {problem}; save the frame of the training"])
        columns = {name: self._values(name) for name in header.feature_names}
        scores = self._scores(self._score_column(model, header, is_only), header.classes)
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        return [GivenRow(values, of_row) for values, of_row in zip(rows, scores, strict=True)]

    def _score_column(self, model: str, header: ModelHeader, is_only: bool) -> str:
        own = f"{SCORE}.{model}"
        if own in self._table.schema.names:
            return own
        if is_only and SCORE in self._table.schema.names and SCORE not in header.feature_names:
            return SCORE
        name = f"{own!r} or {SCORE!r}" if is_only else repr(own)
        problem = f"has no column {name} with the scores of {model}"
        raise Misconfigured([f"{self.path}: {problem}; add what Booster.predict returns for the rows"])

    def _values(self, name: str) -> Sequence[Value]:
        if (fault := wrong_type(self._table.schema, name, self.path)) is not None:
            raise Misconfigured([fault])
        return [_plain(value) for value in self._table.column(name).to_pylist()]

    def _scores(self, name: str, classes: int) -> Sequence[tuple[float, ...]]:
        values = self._table.column(name).to_pylist()
        scores = [tuple(value) if isinstance(value, list) else (value,) for value in values]
        wanted = "a number" if classes == 1 else f"a list of {classes} numbers"
        for number, row in enumerate(scores, 1):
            if len(row) != classes or not all(isinstance(score, int | float) for score in row):
                problem = f"row {number} of column {name!r} is not {wanted}"
                raise Misconfigured([f"{self.path}: {problem}; save what Booster.predict returns"])
        return [tuple(map(float, row)) for row in scores]


def _plain(value: Any) -> Value:
    if isinstance(value, Decimal):
        return float(value)
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    found: Value = None if is_missing else value
    return found
