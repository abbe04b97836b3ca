"""The first pass over a player file: finds the kinds of its columns and its faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mesh import moment
from mesh.errors import Misconfigured
from mesh.ids import MAX_ID_BYTES, NOT_ALLOWED, id_problem
from mesh.players.features import Columns
from mesh.players.loading.column_kinds import Kind, KindSurvey
from mesh.players.loading.file import PLAYER_ID, UPDATED_AT, PlayerFile
from mesh.players.loading.updated_at import times_of
from mesh.players.loading.value_counts import ValueCounts

_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class FileSchema:
    """The kind of every feature of a player file, in file order, and the number of rows."""

    kinds: Mapping[str, Kind]
    rows: int
    empty_texts: frozenset[str] = frozenset()  # columns whose cells without a value are the empty text

    @property
    def columns(self) -> Columns:
        """Returns the features in the form of a store, where booleans are numbers."""
        numbers = tuple(name for name, kind in self.kinds.items() if kind != "text")
        return Columns(numbers, tuple(name for name, kind in self.kinds.items() if kind == "text"))


def survey(
    source: PlayerFile,
    as_text: frozenset[str],
    on_rows: Callable[[int], None],
    counts: ValueCounts | None = None,
) -> FileSchema:
    """Reads all of `source`; raises Misconfigured with its faults (if there are many, the first ones).

    The columns in `as_text` are text columns, whatever their cells. `on_rows` receives the size of each batch, and
    `counts` the batches.
    """
    kinds, faults, rows = _kind_survey(source, as_text), _unknown(source, as_text), 0
    for batch in source.batches():
        faults += _row_faults(source, batch, rows)
        if len(faults) >= _FAULTS_SHOWN:
            raise Misconfigured(faults)
        kinds.add(batch, rows)
        if counts is not None:
            counts.add(batch, rows)
        rows += batch.num_rows
        on_rows(batch.num_rows)
    faults += kinds.faults(source.place)
    if faults or not rows:
        raise Misconfigured(faults or [f"{source.path}: has no players; add a row for each player"])
    return FileSchema(kinds.kinds(), rows)


def duplicates(source: PlayerFile) -> list[str]:
    """Returns a fault for each repeated ID (if there are many, the first ones). It keeps all IDs in memory."""
    first: dict[str, int] = {}
    faults: list[str] = []
    for row, player in enumerate(_all_ids(source)):
        if first.setdefault(player, row) != row and len(faults) < _FAULTS_SHOWN:
            problem = f"{PLAYER_ID} {player!r} is already at {source.place(first[player])}"
            faults.append(f"{source.place(row)}: {problem}; keep one of them")
    return faults


def ids_of(batch: pa.RecordBatch) -> pa.Array:
    """Returns the player IDs of `batch` as strings."""
    return batch.column(PLAYER_ID).cast(pa.string())


def _kind_survey(source: PlayerFile, as_text: frozenset[str]) -> KindSurvey:
    return KindSurvey(_features(source), {**source.kinds, **dict.fromkeys(as_text, "text")})


def _unknown(source: PlayerFile, as_text: frozenset[str]) -> list[str]:
    unknown = sorted(as_text.difference(_features(source)))
    return [f"{source.path}: has no feature {name!r}; correct --text" for name in unknown]


def _features(source: PlayerFile) -> list[str]:
    return [name for name in source.names if name not in (PLAYER_ID, UPDATED_AT)]


def _all_ids(source: PlayerFile) -> Iterator[str]:
    for batch in source.batches():
        yield from ids_of(batch).to_pylist()


def _row_faults(source: PlayerFile, batch: pa.RecordBatch, first_row: int) -> list[str]:
    kind = batch.column(PLAYER_ID).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise Misconfigured([f"{source.path}: column {PLAYER_ID} is of type {kind}; store the IDs as texts"])
    return [*_id_faults(source, batch, first_row), *_time_faults(source, batch, first_row)]


def _id_faults(source: PlayerFile, batch: pa.RecordBatch, first_row: int) -> Iterator[str]:
    ids = pc.fill_null(ids_of(batch), "")
    sizes_bytes = pc.binary_length(ids)
    wrong_size = pc.or_(pc.equal(sizes_bytes, 0), pc.greater(sizes_bytes, MAX_ID_BYTES))
    wrong = pc.or_(wrong_size, pc.match_substring_regex(ids, NOT_ALLOWED))
    for row in pc.indices_nonzero(wrong).to_pylist()[:_FAULTS_SHOWN]:
        player = ids[row].as_py()
        problem = id_problem(player) if player else "is empty; give every player an ID"
        yield f"{source.place(first_row + row)}: {PLAYER_ID} {problem}"


def _time_faults(source: PlayerFile, batch: pa.RecordBatch, first_row: int) -> Iterator[str]:
    times = times_of(batch.column(UPDATED_AT)) if UPDATED_AT in source.names else []
    wrong = [row for row, time in enumerate(times) if time is not None and moment.epoch_s(time) is None]
    for row in wrong[:_FAULTS_SHOWN]:
        yield f"{source.place(first_row + row)}: {UPDATED_AT} is {str(times[row])!r}; give {moment.FORMATS}"
