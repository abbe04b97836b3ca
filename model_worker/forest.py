"""The port to a loaded model: rows in, scores out, one thread at a time."""

from __future__ import annotations

from typing import Protocol


class Forest(Protocol):
    """One loaded model. Not thread-safe: whoever calls `predict` does so from one thread only."""

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
