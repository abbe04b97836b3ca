"""Players into a DynamoDB table: in place, row by row; a load that broke off goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mesh.errors import Misconfigured
from mesh.players.dynamodb.attributes import WrongItem
from mesh.players.dynamodb.client import open_client
from mesh.players.dynamodb.faults import REQUEST_ERRORS, told_of
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import RESERVED_KEYS
from mesh.players.dynamodb.writing import TableWriter, check_size
from mesh.players.features import Columns
from mesh.players.loading.file import PlayerFile
from mesh.players.loading.packing import pack
from mesh.players.loading.survey import Layout, duplicates
from mesh.players.settings import DynamoFeatures, reserved_names
from mesh.sha256 import sha256_of

# What is written between two notes of how far the load has come, and written again after a break.
_SLICE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user allows: to make the table, to change its columns in place, and where the load begins."""

    create: bool
    force: bool
    from_start: bool


def load_table(
    source: PlayerFile, layout: Layout, features: DynamoFeatures, wishes: Wishes, on_rows: Callable[[int], object]
) -> int:
    """Writes all players; the number of rows that an earlier load of the same file had written.

    Raises Misconfigured, before the first write wherever the file or the table can tell.
    """
    if repeated := duplicates(source):
        raise Misconfigured(repeated)
    layout = _in_order(layout, features, source)
    if taken := [name for name in layout.kinds if name in reserved_names(features)]:
        problem = f"{source.path}: {', '.join(map(repr, taken))}: a name that the table needs for itself"
        raise Misconfigured([f"{problem}; rename the column"])
    return asyncio.run(_load(source, layout, features, wishes, on_rows))


async def _load(
    source: PlayerFile, layout: Layout, features: DynamoFeatures, wishes: Wishes, on_rows: Callable[[int], object]
) -> int:
    fingerprint = _fingerprint(source, layout, features)
    async with _writer(features) as writer:
        await writer.check_table(create=wishes.create)
        if features.columns is None:
            await _tell_columns(writer, layout, features, force=wishes.force)
        skipped = 0 if wishes.from_start else await writer.rows_loaded(fingerprint)
        await writer.note_rows(fingerprint, skipped)  # an older load of another file must not go on after this one
        on_rows(skipped)
        done = skipped
        for rows in _slices(source, skipped):
            await writer.write(_items(source, rows, layout, features, done))
            done += rows.num_rows
            await writer.note_rows(fingerprint, done)
            on_rows(rows.num_rows)
        await writer.end_load()
    return skipped


@contextlib.asynccontextmanager
async def _writer(features: DynamoFeatures) -> AsyncIterator[TableWriter]:
    try:
        async with open_client(features) as client:
            yield TableWriter(client, features)
    except REQUEST_ERRORS as error:
        raise Misconfigured([told_of(error, features)]) from error


async def _tell_columns(writer: TableWriter, layout: Layout, features: DynamoFeatures, *, force: bool) -> None:
    """First of all, so that what is written can be read at once. Raises Misconfigured for a change that would hurt."""
    there, columns = await writer.columns(), layout.columns
    if there is not None and not force:
        if features.layout == "packed" and there != columns:
            problem = f"table {features.table!r} has other columns; its players would be unread until written anew"
            raise Misconfigured([f"{problem}; load into another table and change `table`, or --force"])
        columns = _with_new_ones(there, columns, features)
    if there != columns:
        await writer.tell_columns(columns)


def _with_new_ones(there: Columns, ours: Columns, features: DynamoFeatures) -> Columns:
    """The table's columns and, after them, new ones of the file: players written before just lack those."""
    lost = [name for name in (*there.numbers, *there.texts) if name not in (*ours.numbers, *ours.texts)]
    turned = [*(set(there.texts) & set(ours.numbers)), *(set(there.numbers) & set(ours.texts))]
    table = f"table {features.table!r}"
    faults = [f"{table} has a column {name!r}, and the file has not; add it, or --force" for name in lost]
    mend = "correct the file (--text NAME makes a column text), or --force"
    faults += [f"{table} has {name!r} of the other kind, number or text; {mend}" for name in sorted(turned)]
    if faults:
        raise Misconfigured(faults)
    return Columns(
        tuple(dict.fromkeys((*there.numbers, *ours.numbers))), tuple(dict.fromkeys((*there.texts, *ours.texts)))
    )


def _in_order(layout: Layout, features: DynamoFeatures, source: PlayerFile) -> Layout:
    """The columns as the catalog names them, if it does; raises Misconfigured when the file has others."""
    named = features.named_columns
    if named is None:
        return layout
    kinds = {**dict.fromkeys(named.numbers, "number"), **dict.fromkeys(named.texts, "text")}
    told = {name: "text" if kind == "text" else "number" for name, kind in layout.kinds.items()}
    if told != kinds:
        wrong = sorted(name for name in told.keys() | kinds.keys() if told.get(name) != kinds.get(name))
        raise Misconfigured([f"{source.path}: {', '.join(wrong)}: not as `features.columns` says; change one of them"])
    return Layout({name: layout.kinds[name] for name in kinds}, layout.rows)


def _slices(source: PlayerFile, skipped: int) -> Iterator[pa.RecordBatch]:
    """All rows but the first `skipped`."""
    for batch in source.batches():
        begin = min(skipped, batch.num_rows)
        skipped -= begin
        for start in range(begin, batch.num_rows, _SLICE_ROWS):
            yield batch.slice(start, _SLICE_ROWS)


def _items(
    source: PlayerFile, rows: pa.RecordBatch, layout: Layout, features: DynamoFeatures, first_row: int
) -> Mapping[str, Mapping[str, Any]]:
    """The items of some rows, by key; raises Misconfigured for a player whom no item can hold."""
    writing = layout_of(features, layout.columns)
    items = {}
    for row, (player, known) in enumerate(pack(rows, layout, time.time()), first_row):
        try:
            if player in RESERVED_KEYS:
                raise WrongItem("is a name that the table needs for itself; rename the player")
            item = writing.write(known)
            check_size(item)
        except WrongItem as wrong:
            done = f"the {first_row:,} rows before are written" if first_row else "nothing is written"
            raise Misconfigured([f"{source.place(row)}: player {player!r} {wrong} ({done})"]) from None
        items[writing.key(player)] = item
    return items


def _fingerprint(source: PlayerFile, layout: Layout, features: DynamoFeatures) -> str:
    """Tells one load from another: the same file, written in the same way."""
    way = f"{features.layout} {features.key} {features.attribute} {features.entity} {list(layout.kinds.items())}"
    return f"{sha256_of(source.path)} {hashlib.sha256(way.encode()).hexdigest()[:16]}"
