"""Converts blocks to Arrow tables of the log's schemas: whole columns at a time, never one candidate at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mesh.decisions.block import DecisionBlock, OutcomeBlock, Rows
from mesh.decisions.schema import DECISION_SCHEMA, OUTCOME_SCHEMA, ROWS

_FP64 = np.dtype("<f8")
_UINT32 = np.dtype("<u4")


def decision_table(block: DecisionBlock) -> pa.Table:
    """Returns the answers of `block` as a table of `DECISION_SCHEMA`; raises ValueError if its parts do not fit."""
    candidates = _Candidates(block)
    listed: Mapping[str, Callable[[], pa.Array | None]] = {
        "candidates": candidates.names,
        "scores": candidates.scores,
        "revenues": candidates.revenues,
        "votes": candidates.votes,
        "rows": lambda: shared_rows(block.rows, block.requests, candidates.empty),
    }

    def column(field: pa.Field) -> pa.Array:
        found = listed[field.name]() if field.name in listed else None
        return _plain(field, block.requests, block.constants, block.columns) if found is None else found

    return pa.table([column(field) for field in DECISION_SCHEMA], schema=DECISION_SCHEMA)


def outcome_table(block: OutcomeBlock) -> pa.Table:
    """Returns the outcomes of `block` as a table of `OUTCOME_SCHEMA`; raises ValueError if its parts do not fit."""
    columns = [_plain(field, block.outcomes, {}, block.columns) for field in OUTCOME_SCHEMA]
    return pa.table(columns, schema=OUTCOME_SCHEMA)


def shared_rows(layouts: Sequence[Rows], requests: int, empty: NDArray[np.bool_] | None) -> pa.Array | None:
    """Returns the column `rows` [requests], null where `empty`; None without layouts.

    The rows of the layouts lie side by side [requests, sum of the widths], so that each list is a slice.
    """
    if not layouts:
        return None
    matrices = [np.frombuffer(rows.values, _FP64).reshape(requests, rows.width) for rows in layouts]
    widths = np.tile([rows.width for rows in layouts], requests)
    values = pa.ListArray.from_arrays(_offsets(widths), np.hstack(matrices).reshape(-1))
    names = pa.array([rows.layout for rows in layouts]).take(np.tile(np.arange(len(layouts)), requests))
    entries = pa.StructArray.from_arrays([names, values], fields=list(ROWS.value_type))
    starts = np.arange(requests + 1, dtype=np.int32) * np.int32(len(layouts))
    return pa.ListArray.from_arrays(starts, entries, mask=_mask(empty))


class _Candidates:
    """The columns of a block that have a list of candidates for each request."""

    def __init__(self, block: DecisionBlock) -> None:
        self._block = block
        self._counts = np.asarray(block.counts, np.int64)
        if len(self._counts) not in (0, block.requests):
            raise ValueError(f"counts: {len(self._counts)} values for {block.requests} requests")
        self._total = int(self._counts.sum())

    @cached_property
    def empty(self) -> NDArray[np.bool_] | None:
        """The requests without candidates; None if the block has no counts."""
        return self._counts == 0 if len(self._counts) else None

    @cached_property
    def _picks(self) -> NDArray[Any]:
        """The position of each candidate in the offers."""
        block = self._block
        if block.picks is not None:
            return np.frombuffer(block.picks, _UINT32)
        whole = len(block.offers)
        if self._total % max(whole, 1) or not np.isin(self._counts, (0, whole)).all():
            raise ValueError(f"counts: a block without picks has all {whole} offers in each request")
        return np.tile(np.arange(whole, dtype=_UINT32), self._total // max(whole, 1))

    @cached_property
    def _score_values(self) -> NDArray[np.float64]:
        values = np.frombuffer(self._block.scores or b"", _FP64)
        if len(values) != self._total:
            raise ValueError(f"scores: {len(values)} values for {self._total} candidates")
        return values

    @cached_property
    def _unscored(self) -> NDArray[np.bool_]:
        """The requests without a score: no candidates, or no quorum (their scores are NaN)."""
        missing = np.ones(len(self._counts), np.bool_)
        filled = self._counts > 0
        firsts = (np.cumsum(self._counts) - self._counts)[filled]
        missing[filled] = np.isnan(self._score_values[firsts])
        return missing

    def names(self) -> pa.Array | None:
        if not self._total or not self._block.offers:
            return None
        return self._lists(pa.array(self._block.offers).take(self._picks), self.empty)

    def scores(self) -> pa.Array | None:
        if not self._total or self._block.scores is None:
            return None
        return self._lists(pa.array(self._score_values), self._unscored)

    def revenues(self) -> pa.Array | None:
        block = self._block
        if not self._total or block.scores is None or block.prices is None:
            return None
        revenues = self._score_values * np.frombuffer(block.prices, _FP64)[self._picks]
        return self._lists(pa.array(revenues, mask=np.isnan(revenues)), self._unscored)

    def votes(self) -> pa.Array | None:
        block = self._block
        if not self._total or not block.models or block.votes is None:
            return None
        votes = np.frombuffer(block.votes, _FP64).reshape(block.models, self._total)
        null = self._counts == 0
        if block.kept is not None:  # the others are null, so that a reader finds a vote by the place of its candidate
            kept, given = np.frombuffer(block.kept, _UINT32), votes
            votes = np.full_like(given, np.nan)
            votes[:, kept] = given[:, kept]
            owners = np.repeat(np.arange(len(null)), self._counts)[kept]
            null = np.bincount(owners, minlength=len(null)) == 0
        flat = np.ascontiguousarray(votes.T).reshape(-1)
        missing = np.isnan(flat)
        values = pa.array(flat, mask=missing) if missing.any() else pa.array(flat)
        return pa.ListArray.from_arrays(_offsets(self._counts * block.models), values, mask=_mask(null))

    def _lists(self, values: pa.Array, null: NDArray[np.bool_] | None) -> pa.Array:
        if len(values) != self._total:
            raise ValueError(f"{len(values)} values for {self._total} candidates")
        return pa.ListArray.from_arrays(_offsets(self._counts), values, mask=_mask(null))


def _plain(field: pa.Field, length: int, constants: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]) -> Any:
    """The column of a field that has one value for each row, or one for all."""
    if field.name in constants:
        return pa.repeat(pa.scalar(constants[field.name], field.type), length)
    if field.name in columns:
        return pa.array(columns[field.name], field.type)
    return pa.nulls(length, field.type)


def _offsets(lengths: NDArray[Any]) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _mask(null: NDArray[np.bool_] | None) -> pa.Array | None:
    return None if null is None or not null.any() else pa.array(null)
