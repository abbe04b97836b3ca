"""Converts batches of a player file to the rows of a store; packs the numbers of a whole batch at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from mesh import moment
from mesh.players.features import PlayerFeatures
from mesh.players.loading.column_kinds import Floats, Kind, as_numbers, as_truths
from mesh.players.loading.file import UPDATED_AT
from mesh.players.loading.survey import FileSchema, ids_of
from mesh.players.loading.updated_at import times_of


def pack(batch: pa.RecordBatch, schema: FileSchema, now_s: float) -> Iterator[tuple[str, PlayerFeatures]]:
    """Returns the players of `batch`, which must fit `schema`; `now_s` is the default of the time of writing."""
    columns = schema.columns
    numbers = _packed(batch, schema, columns.numbers)
    texts = _texts(batch, schema)
    features = map(PlayerFeatures, numbers, texts, _written_at_s(batch, now_s))
    return zip(ids_of(batch).to_pylist(), features, strict=True)


def _packed(batch: pa.RecordBatch, schema: FileSchema, names: tuple[str, ...]) -> list[bytes]:
    """Returns the numbers of each row as little-endian float64."""
    matrix = np.empty((batch.num_rows, len(names)), "<f8")
    for position, name in enumerate(names):
        matrix[:, position] = _numbers(batch.column(name), schema.kinds[name])
    packed, size_bytes = matrix.tobytes(), 8 * len(names)
    return [packed[row * size_bytes : (row + 1) * size_bytes] for row in range(batch.num_rows)]


def _numbers(cells: pa.Array, kind: Kind) -> Floats:
    numbers = as_truths(cells) if kind == "boolean" else as_numbers(cells)
    if numbers is None:
        raise ValueError("the file changed while it was read")
    return numbers


def _texts(batch: pa.RecordBatch, schema: FileSchema) -> list[tuple[str | None, ...]]:
    names = schema.columns.texts
    if not names:
        return [()] * batch.num_rows
    columns = [_text_cells(batch, name, schema).to_pylist() for name in names]
    return list(zip(*columns, strict=True))


def _text_cells(batch: pa.RecordBatch, name: str, schema: FileSchema) -> pa.Array:
    cells = batch.column(name).cast(pa.string())
    return cells.fill_null("") if name in schema.empty_texts else cells


def _written_at_s(batch: pa.RecordBatch, now_s: float) -> list[float]:
    if UPDATED_AT not in batch.schema.names:
        return [now_s] * batch.num_rows
    times = (None if time is None else moment.epoch_s(time) for time in times_of(batch.column(UPDATED_AT)))
    return [now_s if time_s is None else time_s for time_s in times]
