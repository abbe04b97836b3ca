"""Where C writes scores for Python to take, kept from call to call."""

from __future__ import annotations

import ctypes

_FLOAT64_BYTES = 8


class ScoreRoom:
    """Room for the scores of a model of so many `classes`, for one thread at a time."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._scores: ctypes.Array[ctypes.c_double] = (ctypes.c_double * classes)()

    def of(self, rows: int) -> ctypes.Array[ctypes.c_double]:
        """Where the scores of `rows` rows can be written, until the next call."""
        if len(self._scores) < rows * self._classes:
            self._scores = (ctypes.c_double * (2 * rows * self._classes))()
        return self._scores

    def take(self, rows: int) -> bytes:
        """The scores that were written, float64 [rows, classes]."""
        return ctypes.string_at(self._scores, rows * self._classes * _FLOAT64_BYTES)
