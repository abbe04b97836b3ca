"""Reads CSV and Parquet files of players in batches, so that memory use does not depend on the number of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mesh.errors import Misconfigured, unreadable
from mesh.players.loading.column_kinds import Kind

PLAYER_ID, UPDATED_AT = "player_id", "updated_at"
_BATCH_ROWS = 8192
_LARGEST_CELL = 2**30


class PlayerFile(Protocol):
    """A file of players.

    `rows` is the number of players if the file format has it. `kinds` has the kinds that the file declares; all other
    columns are strings. A cell without a value is null; a quoted empty cell of a CSV file is the empty text.
    """

    @property
    def path(self) -> Path: ...  # noqa: D102 - see above

    @property
    def names(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def kinds(self) -> Mapping[str, Kind]: ...  # noqa: D102

    @property
    def rows(self) -> int | None: ...  # noqa: D102

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; raises Misconfigured when the file cannot be read."""
        ...

    def place(self, row: int) -> str:
        """Returns the place of row `row` (the first is 0) for messages."""
        ...


def open_file(path: Path) -> PlayerFile:
    """Opens `path` by its suffix; raises Misconfigured if it is not a table of players with features."""
    if path.suffix not in (".csv", ".parquet"):
        raise Misconfigured([f"{path}: is neither .csv nor .parquet; convert the file to one of these formats"])
    try:
        source = CsvFile(path, _header(path)) if path.suffix == ".csv" else _open_parquet(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise unreadable(path, error, "check the file") from error
    faults = list(_name_faults(path, source.names))
    if faults:
        raise Misconfigured(faults)
    return source


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in UTF-8 with a header line. All its cells are strings."""

    path: Path
    names: Sequence[str]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    rows: None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; raises Misconfigured when the file cannot be read."""
        convert = pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in self.names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,  # `""` in quotes is the empty text, as in PostgreSQL's COPY
        )
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        try:
            with pyarrow.csv.open_csv(self.path, convert_options=convert, parse_options=parse) as reader:
                yield from reader
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error

    def place(self, row: int) -> str:
        """Returns `FILE:LINE`; only for faults. It reads the file up to the row, because cells may have line breaks."""
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            starts = (start for cells, start in _with_lines(_cells_of(file)) if cells)
            line = next(start for at, start in enumerate(starts, -1) if at == row)
        return f"{self.path}:{line}"

    def _explain(self, error: Exception) -> Misconfigured:
        """Finds the line of the error, which the reader of pyarrow does not report."""
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                for cells, start in _with_lines(_cells_of(file)):
                    if cells and len(cells) != len(self.names):
                        problem = f"has {len(cells)} cells, but the header has {len(self.names)}"
                        return Misconfigured([f"{self.path}:{start}: {problem}; fix the line"])
        except (OSError, UnicodeDecodeError, csv.Error) as reason:
            return unreadable(self.path, reason, "check the file")
        return unreadable(self.path, error, "check the file")


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file. Its schema declares the kinds of its columns."""

    path: Path
    names: Sequence[str]
    kinds: Mapping[str, Kind]
    rows: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; raises Misconfigured when the file cannot be read."""
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(_BATCH_ROWS):
                    columns = [_without_dictionary(column) for column in batch.columns]
                    yield pa.RecordBatch.from_arrays(columns, names=self.names)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error, "check the file") from error

    def place(self, row: int) -> str:
        """Returns `FILE, row ROW`; the first row is 1."""
        return f"{self.path}, row {row + 1}"


def _open_parquet(path: Path) -> ParquetTable:
    with pyarrow.parquet.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    features = [column for column in schema if column.name not in (PLAYER_ID, UPDATED_AT)]
    kinds = {column.name: _declared_kind(column.type) for column in features}
    faults = [
        f"{path}: column {column.name!r} is of type {column.type}; store numbers, booleans or texts"
        for column in features
        if kinds[column.name] is None
    ]
    if faults:
        raise Misconfigured(faults)
    return ParquetTable(path, schema.names, {name: kind for name, kind in kinds.items() if kind}, rows)


def _declared_kind(kind: pa.DataType) -> Kind | None:
    types = pa.types
    if types.is_dictionary(kind):
        return _declared_kind(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return "number"
    return "boolean" if types.is_boolean(kind) else None


def _without_dictionary(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next((cells for cells in _cells_of(file) if cells), [])


def _cells_of(file: TextIO) -> Any:
    csv.field_size_limit(_LARGEST_CELL)  # with the default of 128 KiB, a larger cell would fail without its line
    return csv.reader(file)


def _with_lines(lines: Any) -> Iterator[tuple[list[str], int]]:
    """Yields the rows of a CSV reader, each with the line on which it starts."""
    start = 1
    for cells in lines:
        yield cells, start
        start = lines.line_num + 1


def _name_faults(path: Path, names: Sequence[str]) -> Iterator[str]:
    if PLAYER_ID not in names:
        yield f"{path}: has no column {PLAYER_ID}; add it, with its name in the header"
    elif not set(names) - {PLAYER_ID, UPDATED_AT}:
        yield f"{path}: has no features; add a column for each feature"
    for position, name in enumerate(names):
        if not name:
            yield f"{path}: column {position + 1} has no name; add its name to the header"
        elif name in names[:position]:
            yield f"{path}: column {name!r} occurs twice; remove one"
