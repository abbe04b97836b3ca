"""Reads rows of the training from a Parquet file: a bounded random sample, column by column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from mesh.cli.publish.frame_types import header_in, missing_columns, wrong_type
from mesh.errors import Misconfigured, unreadable
from mesh.model_file import ModelHeader
from mesh.reference.training import Column

MAX_ROWS = 50_000  # the share of a bin is then exact to 0.2 %, and scores take seconds
MIN_ROWS = 1_000
_SEED = 2026  # the same file gives the same reference


class TrainingTable:
    """The Parquet file at `path`. Raises Misconfigured if it cannot be read, or has too few rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, error, "save the rows with DataFrame.to_parquet") from error
        self.schema: pa.Schema = self._file.schema_arrow
        if self._file.metadata.num_rows < MIN_ROWS:
            problem = f"has {self._file.metadata.num_rows:,} rows, and a distribution needs {MIN_ROWS:,}"
            raise Misconfigured([f"{path}: {problem}; save more rows of the training"])

    def header_of(self, header: ModelHeader) -> ModelHeader:
        """Returns `header` with its categories by column; raises Misconfigured if the file does not show them."""
        return header_in(self.schema, header, self.path)

    def columns(self, names: Iterable[str]) -> dict[str, Column]:
        """Returns the columns of the sampled rows; raises Misconfigured with all that are missing or wrong."""
        wanted = list(dict.fromkeys(names))
        faults = list(self._faults(wanted))
        if faults:
            raise Misconfigured(faults)
        try:
            table = pa.Table.from_batches(self._sampled(wanted), pa.schema([self.schema.field(one) for one in wanted]))
            return {name: _column(table.column(name)) for name in wanted}
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error, "save the rows with DataFrame.to_parquet") from error

    def _faults(self, names: Sequence[str]) -> Iterator[str]:
        if missing := missing_columns(self.schema, names):
            yield f"{self.path}: has no column {missing}, which the models need; save the frame of the training"
        for name in names:
            if name in self.schema.names and (fault := wrong_type(self.schema, name, self.path)) is not None:
                yield fault

    def _sampled(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the sampled rows of each part of the file, so that the whole file is never in memory."""
        rows, start = self._file.metadata.num_rows, 0
        chosen = _chosen(rows)
        for batch in self._file.iter_batches(columns=list(names)):
            within = chosen[(chosen >= start) & (chosen < start + len(batch))] - start
            start += len(batch)
            yield batch.select(list(names)).take(pa.array(within))


def _chosen(rows: int) -> NDArray[np.intp]:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(_SEED).choice(rows, MAX_ROWS, replace=False))


def _column(column: pa.ChunkedArray) -> Column:
    array = column.combine_chunks()
    encoded = array if pa.types.is_dictionary(array.type) else pyarrow.compute.dictionary_encode(array)
    places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp)
    values = encoded.dictionary.to_pylist()
    missing = [at for at, value in enumerate(values) if _is_missing(value)]
    if missing:
        places[np.isin(places, missing)] = -1
    return Column(places, [_plain(value) for value in values])


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else 0.0 if value is None else value
