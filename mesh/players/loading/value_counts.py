"""Counts the values of some columns of a player file, to compare them with the categories of the models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh.players.cells import number_of
from mesh.players.loading.column_kinds import Kind

_MAX_VALUES = 50_000  # of one column; more are not counted


class ValueCounts:
    """Counts the values of the columns `names`, batch by batch; `as_text` has columns that are loaded as text."""

    def __init__(self, names: Collection[str], as_text: Collection[str]) -> None:
        self._as_text = as_text
        self._counts: dict[str, Counter[object]] = {name: Counter() for name in names}
        self._first_missing: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch, first_row: int) -> None:
        """Adds `batch`, which starts at row `first_row` of the file."""
        for name in self._counts.keys() & set(batch.schema.names):
            cells = batch.column(name)
            if name not in self._first_missing and cells.null_count:
                self._first_missing[name] = first_row + pc.index(pc.is_null(cells), True).as_py()
            self._add_cells(self._counts[name], cells.cast(pa.string()) if name in self._as_text else cells)

    def has_empty_text(self, name: str) -> bool:
        """Whether a cell of the column is the empty text."""
        return "" in self._counts.get(name, ())

    def first_missing(self, name: str) -> int | None:
        """Returns the first row without a value in the column, or None."""
        return self._first_missing.get(name)

    def of(self, kinds: Mapping[str, Kind]) -> dict[str, Counter[object]]:
        """Returns the number of each value of each column, in the form of the store: texts, or float64 numbers."""
        found: dict[str, Counter[object]] = {}
        for name, counts in self._counts.items():
            if name in kinds:
                found[name] = counts if kinds[name] == "text" else _as_numbers(counts)
        return found

    def _add_cells(self, counts: Counter[object], cells: pa.Array) -> None:
        for entry in pc.value_counts(cells.drop_null()).to_pylist():
            if entry["values"] in counts or len(counts) < _MAX_VALUES:
                counts[entry["values"]] += entry["counts"]


def _as_numbers(counts: Counter[object]) -> Counter[object]:
    numbers: Counter[object] = Counter()
    for value, count in counts.items():
        number = number_of(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        if not np.isnan(number):
            numbers[number] += count
    return numbers
