"""The port to a loaded model: it scores rows, on one thread at a time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

# Named tuples: the child that tries a model imports this module, and dataclasses would add a fifth to its start.


class Candidates(NamedTuple):
    """A list of candidates. The rows of one request differ in the columns of the candidates only.

    `columns` are ascending positions in a row, possibly none. `values` is float64 [count, len(columns)], row-major.
    """

    columns: tuple[int, ...]
    values: bytes
    count: int  # type: ignore[assignment]  # hides a method of tuples, which is not used


class Picks(NamedTuple):
    """The candidates that each request asks for: request i asks for the next counts[i] of `positions`, at least one.

    Both are unsigned 32-bit integers: `counts` [requests], and `positions` [sum of counts], each below the number of
    candidates.
    """

    counts: bytes
    positions: bytes


class CandidateTable(Protocol):
    """A list of candidates that a forest has prepared, to score it for many requests."""

    def predict(self, shared: bytes, requests: int, picks: Picks | None = None) -> bytes:
        """Returns the scores of pairs, float64 [pairs, classes]: for each request its candidates, in order.

        `shared` is a row for each request, float64 [requests, features]; the values in the candidates' columns are
        ignored. Without `picks` every request asks for all candidates. Raises the same errors as `Forest.predict`.
        """


class Forest(Protocol):
    """A loaded model, scored by LightGBM or by our own engine. One thread calls `predict`, also of its tables."""

    @property
    def features(self) -> int:
        """The number of columns of a row."""

    @property
    def classes(self) -> int:
        """The number of scores of a row: 1, or the number of classes."""

    def predict(self, rows: bytes, count: int) -> bytes:
        """Returns the scores, float64 [count, classes], of `rows`, float64 [count, features], both row-major.

        Raises an error if the model cannot score them.
        """

    def table(self, candidates: Candidates) -> CandidateTable:
        """Prepares `candidates`. Any thread may call this, also while another thread predicts."""
