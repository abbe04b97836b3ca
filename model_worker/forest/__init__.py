"""The port to a loaded model: rows in, scores out, one thread at a time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

# Named tuples, because the child that tries a model imports this, and dataclasses would take a fifth of its start.


class Candidates(NamedTuple):
    """A list of candidates, whose columns are all in which the rows of one request differ.

    `values` is float64 [count, len(columns)], row-major; `columns` are ascending positions in a row, maybe none.
    """

    columns: tuple[int, ...]
    values: bytes
    count: int  # type: ignore[assignment]  # hides a tuple's method, which nobody calls


class Picks(NamedTuple):
    """Which candidates each request asks for: `counts` of them, one at least, from `positions`.

    Both are 32-bit and unsigned: `counts` [requests], `positions` [their sum], each below the candidates' count.
    """

    counts: bytes
    positions: bytes


class CandidateTable(Protocol):
    """Candidates that a forest has made ready, to be scored for one request after the other."""

    def predict(self, shared: bytes, requests: int, picks: Picks | None = None) -> bytes:
        """The scores of pairs, float64 [pairs, classes]: for each request each of its candidates, in order.

        `shared` holds a row for each request, float64 [requests, features], in which the candidates' columns
        may be anything. Without `picks` every request asks for all candidates. Raises as `Forest.predict` does.
        """


class Forest(Protocol):
    """One loaded model. Not thread-safe: whoever predicts, by itself or by its tables, does so from one thread."""

    @property
    def features(self) -> int:
        """Columns of a row."""

    @property
    def classes(self) -> int:
        """Scores of a row: 1, or the number of classes."""

    def predict(self, rows: bytes, count: int) -> bytes:
        """The scores, float64 [count, classes], of `rows`, float64 [count, features], both row-major.

        Raises when the model cannot score them.
        """

    def table(self, candidates: Candidates) -> CandidateTable:
        """Makes `candidates` ready; any thread may ask for it, while another one predicts."""
