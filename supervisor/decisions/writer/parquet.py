"""Parquet files of the log: which rows go to which file, and how the file is encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mesh.decisions.block import DecisionBlock, OutcomeBlock
from mesh.decisions.schema import DECISIONS, OUTCOMES
from supervisor.decisions.writer.encoding import decision_table, outcome_table

Block = DecisionBlock | OutcomeBlock
NewName = Callable[[], str]
_HOUR_US = 3_600_000_000
ROW_GROUP_BYTES = 8 * 2**20

# Few distinct values in a file: a dictionary is smaller, and cheaper to encode than the texts. In columns of numbers
# and ids, building a dictionary costs more than everything else (docs/decisions/0027-files-of-the-decision-log.md).
_DICTIONARIES = [
    "supervisor", "caller", "method", "version", "ensemble", "version_digest", "context", "source", "reason", "detail",
    "last_model", "kind", "currency", "offer", "candidates.list.element", "offers.list.element",
    "missing_models.list.element", "missing_inputs.list.element", "unseen_inputs.list.element",
    "rows.list.element.layout",
]  # fmt: skip
# Random digits, which no codec makes much smaller. Snappy notices it fast, and is twice as fast as zstd altogether.
_SNAPPY = ["scores.list.element", "revenues.list.element", "votes.list.element"]
# The smallest and largest value of a row group: readers skip files by time, and find a decision by its id.
_STATISTICS = ["time", "received", "decision_id"]


@dataclass(frozen=True, slots=True)
class LogFile:
    """A complete file of the log. `path` is below the root; a file with `records` 0 is a side file."""

    path: str
    content: bytes | memoryview
    records: int = 0


def log_files(blocks: Iterable[Block], new_name: NewName) -> list[LogFile]:
    """Returns one file for each table, game and hour of `blocks`. Raises ValueError, TypeError or pa.ArrowException."""
    files = _Files(new_name)
    for block in blocks:
        if isinstance(block, DecisionBlock):
            files.add(DECISIONS, block.game, decision_table(block))
        else:
            files.add(OUTCOMES, block.game, outcome_table(block))
    return files.close()


class _Files:
    """Files that grow by row groups, so that the memory for the tables stays small and warm."""

    def __init__(self, new_name: NewName) -> None:
        self._new_name = new_name
        self._parts: dict[tuple[str, str], list[pa.Table]] = {}
        self._sizes: dict[tuple[str, str], int] = {}
        self._open: dict[str, _OpenFile] = {}

    def add(self, name: str, game: str, table: pa.Table) -> None:
        self._parts.setdefault((name, game), []).append(table)
        size_bytes = self._sizes.get((name, game), 0) + table.nbytes
        self._sizes[name, game] = size_bytes
        if size_bytes >= ROW_GROUP_BYTES:
            self._write(name, game)

    def close(self) -> list[LogFile]:
        for name, game in self._parts:
            self._write(name, game)
        return [
            LogFile(f"{folder}/{self._new_name()}.parquet", file.close(), file.records)
            for folder, file in self._open.items()
        ]

    def _write(self, name: str, game: str) -> None:
        parts = self._parts[name, game]
        clock = "time" if name == DECISIONS else "received"  # a caller may report any time of an outcome
        for hour, table in _by_hour(pa.concat_tables(parts), clock) if parts else ():
            folder = f"{name}/game={game}/{hour:date=%Y-%m-%d/hour=%H}"
            self._open.setdefault(folder, _OpenFile(table.schema)).write(table)
        parts.clear()
        self._sizes[name, game] = 0


class _OpenFile:
    """A Parquet file in memory."""

    def __init__(self, schema: pa.Schema) -> None:
        self.records = 0
        self._stream = pa.BufferOutputStream()
        leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
        codecs = {leaf: "snappy" if leaf in _SNAPPY else "zstd" for leaf in leaves}
        self._writer = pq.ParquetWriter(
            self._stream,
            schema,
            compression=codecs,
            compression_level={leaf: 1 for leaf, codec in codecs.items() if codec == "zstd"},
            use_dictionary=[leaf for leaf in leaves if leaf in _DICTIONARIES],
            write_statistics=[leaf for leaf in leaves if leaf in _STATISTICS],
        )

    def write(self, table: pa.Table) -> None:
        """Adds a row group."""
        self._writer.write_table(table, row_group_size=table.num_rows)
        self.records += table.num_rows

    def close(self) -> memoryview:
        """Returns the bytes of the file."""
        self._writer.close()
        return memoryview(self._stream.getvalue())


def _by_hour(table: pa.Table, clock: str) -> Iterator[tuple[datetime, pa.Table]]:
    """The rows of each hour (UTC) of the column `clock`; almost always all rows are of one hour."""
    hours = pc.divide(table[clock].cast(pa.int64()), _HOUR_US)
    found = sorted(pc.unique(hours).to_pylist())
    for hour in found:
        part = table if len(found) == 1 else table.filter(pc.equal(hours, hour))
        yield datetime.fromtimestamp(hour * _HOUR_US / 1e6, UTC), part


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    """The paths of the Parquet columns of a field."""
    if pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    else:
        yield path
