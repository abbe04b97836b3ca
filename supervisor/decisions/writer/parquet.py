"""Parquet files of the log: which rows go to which file, and how the file is encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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

# Few distinct values in a file: a dictionary is smaller, and cheaper to encode than the texts. In columns of numbers
# and ids, building a dictionary costs more than everything else (docs/decisions/0023-decision-log.md).
_DICTIONARIES = [
    "supervisor", "caller", "method", "version", "ensemble", "version_digest", "context", "source", "reason", "detail",
    "last_model", "kind", "currency", "offer", "candidates.list.element", "offers.list.element",
    "missing_models.list.element", "missing_inputs.list.element", "unseen_inputs.list.element",
    "rows.list.element.layout",
]  # fmt: skip
# The smallest and largest value of a row group: readers skip files by time, and find a decision by its id.
_STATISTICS = ["time", "received", "decision_id"]


@dataclass(frozen=True, slots=True)
class LogFile:
    """A complete file of the log. `path` is below the root; a file with `records` 0 is a side file."""

    path: str
    content: bytes
    records: int = 0


def log_files(blocks: Iterable[Block], new_name: NewName) -> list[LogFile]:
    """Returns one file for each table, game and hour of `blocks`. Raises ValueError, TypeError or pa.ArrowException."""
    tables: dict[tuple[str, str], list[pa.Table]] = {}
    for block in blocks:
        is_decision = isinstance(block, DecisionBlock)
        table = decision_table(block) if isinstance(block, DecisionBlock) else outcome_table(block)
        tables.setdefault((DECISIONS if is_decision else OUTCOMES, block.game), []).append(table)
    return [file for (name, game), parts in tables.items() for file in _files(name, game, parts, new_name)]


def _files(name: str, game: str, parts: Sequence[pa.Table], new_name: NewName) -> Iterator[LogFile]:
    clock = "time" if name == DECISIONS else "received"  # a caller may report any time of an outcome
    for hour, table in _by_hour(pa.concat_tables(parts), clock):
        folder = f"{name}/game={game}/{hour:date=%Y-%m-%d/hour=%H}"
        yield LogFile(f"{folder}/{new_name()}.parquet", encode(table), table.num_rows)


def _by_hour(table: pa.Table, clock: str) -> Iterator[tuple[datetime, pa.Table]]:
    """The rows of each hour (UTC) of the column `clock`; almost always all rows are of one hour."""
    hours = pc.divide(table[clock].cast(pa.int64()), _HOUR_US)
    found = sorted(pc.unique(hours).to_pylist())
    for hour in found:
        part = table if len(found) == 1 else table.filter(pc.equal(hours, hour))
        yield datetime.fromtimestamp(hour * _HOUR_US / 1e6, UTC), part


def encode(table: pa.Table) -> bytes:
    """Returns `table` as a Parquet file with one row group."""
    stream = pa.BufferOutputStream()
    pq.write_table(
        table,
        stream,
        row_group_size=max(1, table.num_rows),
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in _DICTIONARIES if name.partition(".")[0] in table.column_names],
        write_statistics=[name for name in _STATISTICS if name in table.column_names],
    )
    return bytes(stream.getvalue())
