"""The memory into which C writes scores, kept from call to call."""

from __future__ import annotations

import ctypes

_FLOAT64_BYTES = 8


class ScoreBuffer:
    """A buffer for the scores of a model with so many `classes`, for one thread at a time."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._scores: ctypes.Array[ctypes.c_double] = (ctypes.c_double * classes)()

    def reserve(self, rows: int) -> ctypes.Array[ctypes.c_double]:
        """Returns memory for the scores of `rows` rows; it is valid until the next call."""
        if len(self._scores) < rows * self._classes:
            self._scores = (ctypes.c_double * (2 * rows * self._classes))()
        return self._scores

    def read(self, rows: int) -> bytes:
        """Returns a copy of the scores of `rows` rows, float64 [rows, classes]."""
        return ctypes.string_at(self._scores, rows * self._classes * _FLOAT64_BYTES)
