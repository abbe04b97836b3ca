"""A table of candidates for forests that score rows only: it expands each pair of request and candidate to a row."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

from model_worker.forest import Candidates, Picks


class _RowForest(Protocol):
    @property
    def features(self) -> int: ...

    def predict(self, rows: bytes, count: int) -> bytes: ...


class ExpandedTable:
    """A list of candidates as a `CandidateTable` that expands every pair to a row."""

    def __init__(self, forest: _RowForest, candidates: Candidates) -> None:
        self._forest = forest
        self._count = candidates.count
        values, width = array("d", candidates.values), len(candidates.columns)
        self._columns = {column: values[place::width] for place, column in enumerate(candidates.columns)}

    def predict(self, shared: bytes, requests: int, picks: Picks | None = None) -> bytes:
        """Returns the scores of pairs, float64 [pairs, classes], for `shared`, float64 [requests, features]."""
        chosen = list(_chosen(picks) if picks else [range(self._count)] * requests)
        size = len(shared) // requests
        rows = [
            self._rows(shared[size * place : size * (place + 1)], positions) for place, positions in enumerate(chosen)
        ]
        return self._forest.predict(b"".join(rows), sum(map(len, chosen)))

    def _rows(self, shared: bytes, positions: Sequence[int]) -> bytes:
        rows = array("d", shared * len(positions))
        for column, values in self._columns.items():
            rows[column :: self._forest.features] = array("d", map(values.__getitem__, positions))
        return rows.tobytes()


def _chosen(picks: Picks) -> Iterator[Sequence[int]]:
    positions, start = array("I", picks.positions), 0
    for count in array("I", picks.counts):
        yield positions[start : start + count]
        start += count
