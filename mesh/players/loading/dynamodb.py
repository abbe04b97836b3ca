"""Loads players into a DynamoDB table in place; an interrupted load continues at its last saved row."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from mesh.errors import Misconfigured
from mesh.players.dynamodb.attributes import WrongItem
from mesh.players.dynamodb.client import open_client
from mesh.players.dynamodb.errors import REQUEST_ERRORS, full_message
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import RESERVED_KEYS
from mesh.players.dynamodb.table_writer import TableWriter, check_size
from mesh.players.features import Columns
from mesh.players.loading.file import PlayerFile
from mesh.players.loading.packing import pack
from mesh.players.loading.survey import FileSchema, duplicates
from mesh.players.settings import DynamoFeatures, reserved_names
from mesh.sha256 import sha256_of

# The number of rows between two saves of the progress. An interrupted load writes these rows again.
_SLICE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of the user: create a missing table; change columns in place (`force`); ignore an interrupted load."""

    create: bool
    force: bool
    from_start: bool


def load_table(
    source: PlayerFile,
    schema: FileSchema,
    features: DynamoFeatures,
    options: LoadOptions,
    on_rows: Callable[[int], object],
) -> int:
    """Writes all players; returns the number of rows that an earlier load of the same file had written.

    Raises Misconfigured. Faults that are visible in the file or the table are raised before the first write.
    """
    if repeated := duplicates(source):
        raise Misconfigured(repeated)
    schema = _in_catalog_order(schema, features, source)
    if taken := [name for name in schema.kinds if name in reserved_names(features)]:
        problem = f"{source.path}: {', '.join(map(repr, taken))}: a reserved name in this layout"
        raise Misconfigured([f"{problem}; rename the column"])
    return asyncio.run(_load(source, schema, features, options, on_rows))


async def _load(
    source: PlayerFile,
    schema: FileSchema,
    features: DynamoFeatures,
    options: LoadOptions,
    on_rows: Callable[[int], object],
) -> int:
    fingerprint = _fingerprint(source, schema, features)
    async with _writer(features) as writer:
        await writer.check_table(create=options.create)
        if features.columns is None:
            await _save_columns(writer, schema, features, force=options.force)
        skipped = 0 if options.from_start else await writer.rows_loaded(fingerprint)
        await writer.save_progress(fingerprint, skipped)  # replaces the progress of an older load of another file
        on_rows(skipped)
        done = skipped
        for rows in _slices(source, skipped):
            await writer.write(_items(source, rows, schema, features, done))
            done += rows.num_rows
            await writer.save_progress(fingerprint, done)
            on_rows(rows.num_rows)
        await writer.clear_progress()
    return skipped


@contextlib.asynccontextmanager
async def _writer(features: DynamoFeatures) -> AsyncIterator[TableWriter]:
    try:
        async with open_client(features) as client:
            yield TableWriter(client, features)
    except REQUEST_ERRORS as error:
        raise Misconfigured([full_message(error, features)]) from error


async def _save_columns(writer: TableWriter, schema: FileSchema, features: DynamoFeatures, *, force: bool) -> None:
    """Writes the columns before the players, so that each player can be read at once.

    Raises Misconfigured for a change that makes existing players unreadable.
    """
    current, columns = await writer.columns(), schema.columns
    if current is not None and not force:
        if features.layout == "packed" and current != columns:
            problem = f"table {features.table!r} has other columns; its players would be unreadable until loaded again"
            raise Misconfigured([f"{problem}; load into another table and change `table`, or use --force"])
        columns = _with_new_columns(current, columns, features)
    if current != columns:
        await writer.save_columns(columns)


def _with_new_columns(current: Columns, new: Columns, features: DynamoFeatures) -> Columns:
    """Returns the columns of the table followed by the new ones of the file, which existing players do not have."""
    missing = [name for name in (*current.numbers, *current.texts) if name not in (*new.numbers, *new.texts)]
    changed = [*(set(current.texts) & set(new.numbers)), *(set(current.numbers) & set(new.texts))]
    table = f"table {features.table!r}"
    faults = [f"{table} has a column {name!r}, but the file does not; add it, or use --force" for name in missing]
    fix = "correct the file (--text NAME makes a column text), or use --force"
    faults += [f"{table} has {name!r} of the other kind (number or text); {fix}" for name in sorted(changed)]
    if faults:
        raise Misconfigured(faults)
    return Columns(
        tuple(dict.fromkeys((*current.numbers, *new.numbers))), tuple(dict.fromkeys((*current.texts, *new.texts)))
    )


def _in_catalog_order(schema: FileSchema, features: DynamoFeatures, source: PlayerFile) -> FileSchema:
    """Orders the columns like the catalog, if it lists them; raises Misconfigured if the file has other columns."""
    named = features.named_columns
    if named is None:
        return schema
    kinds = {**dict.fromkeys(named.numbers, "number"), **dict.fromkeys(named.texts, "text")}
    actual = {name: "text" if kind == "text" else "number" for name, kind in schema.kinds.items()}
    if actual != kinds:
        wrong = sorted(name for name in actual.keys() | kinds.keys() if actual.get(name) != kinds.get(name))
        problem = f"{source.path}: {', '.join(wrong)}: differs from `features.columns` in the catalog"
        raise Misconfigured([f"{problem}; change the file or the catalog"])
    return replace(schema, kinds={name: schema.kinds[name] for name in kinds})


def _slices(source: PlayerFile, skipped: int) -> Iterator[pa.RecordBatch]:
    """Yields all rows after the first `skipped` in slices."""
    for batch in source.batches():
        begin = min(skipped, batch.num_rows)
        skipped -= begin
        for start in range(begin, batch.num_rows, _SLICE_ROWS):
            yield batch.slice(start, _SLICE_ROWS)


def _items(
    source: PlayerFile, rows: pa.RecordBatch, schema: FileSchema, features: DynamoFeatures, first_row: int
) -> Mapping[str, Mapping[str, Any]]:
    """Returns the items of some rows by key; raises Misconfigured for a player that an item cannot store."""
    layout = layout_of(features, schema.columns)
    items = {}
    for row, (player_id, player) in enumerate(pack(rows, schema, time.time()), first_row):
        try:
            if player_id in RESERVED_KEYS:
                raise WrongItem("is a reserved ID; rename the player")
            item = layout.write(player)
            check_size(item)
        except WrongItem as wrong:
            done = f"the {first_row:,} rows before it are written" if first_row else "no rows are written"
            raise Misconfigured([f"{source.place(row)}: player {player_id!r} {wrong} ({done})"]) from None
        items[layout.key(player_id)] = item
    return items


def _fingerprint(source: PlayerFile, schema: FileSchema, features: DynamoFeatures) -> str:
    """Identifies a load by its file and its layout."""
    form = f"{features.layout} {features.key} {features.attribute} {features.entity} {list(schema.kinds.items())}"
    if schema.empty_texts:
        form += f" {sorted(schema.empty_texts)}"
    return f"{sha256_of(source.path)} {hashlib.sha256(form.encode()).hexdigest()[:16]}"
