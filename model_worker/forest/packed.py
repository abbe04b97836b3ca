"""The adapter to our own engine in C (engine/forest.h): it gives the scores of LightGBM in a fraction of the time."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES

from model_worker.forest import Candidates, CandidateTable, Picks
from model_worker.forest.expanded_table import ExpandedTable
from model_worker.forest.score_buffer import ScoreBuffer

_REASON_BYTES = 200


class NotPackedError(Exception):
    """The engine cannot pack a model; the text is the reason, or the name of a property that it does not support."""


def find_engine() -> str | None:
    """Returns the path of the engine's library beside this file; None if it was not built."""
    from os.path import exists  # pathlib adds 6 ms to the start

    paths = [__file__.replace("packed.py", f"_engine{suffix}") for suffix in EXTENSION_SUFFIXES]
    return next(filter(exists, paths), None)


class PackedForest:
    """A packed model as a `Forest`. Construction packs it, and raises `NotPackedError` or MemoryError."""

    def __init__(self, engine: str, model: bytes) -> None:
        self._library = _load(engine)
        reason = ctypes.create_string_buffer(_REASON_BYTES)
        self._packed = self._library.forest_pack(model, len(model), reason, _REASON_BYTES)
        if not self._packed:
            raise _pack_error(reason.value.decode())
        self.features = self._library.forest_columns(self._packed)
        self.classes = self._library.forest_classes(self._packed)
        self.buffer = ScoreBuffer(self.classes)

    def __del__(self) -> None:
        if getattr(self, "_packed", None):
            self._library.forest_free(self._packed)

    def predict(self, rows: bytes, count: int) -> bytes:
        """Returns the scores, float64 [count, classes], of `rows`, float64 [count, features]; finds lists in them."""
        _check(self._library.forest_predict(self._packed, rows, count, self.buffer.reserve(count)))
        return self.buffer.read(count)

    def table(self, candidates: Candidates) -> CandidateTable:
        """Makes the table of `candidates`; expands pairs to rows instead if the table needs too much memory."""
        columns = (ctypes.c_uint32 * len(candidates.columns))(*candidates.columns)
        made = self._library.table_make(self._packed, columns, len(columns), candidates.values, candidates.count)
        return PackedTable(self, self._library, made, candidates.count) if made else ExpandedTable(self, candidates)


def _pack_error(reason: str) -> Exception:
    return NotPackedError(reason) if reason not in ("", "out of memory") else MemoryError(reason)


class PackedTable:
    """The engine's table of a list of candidates as a `CandidateTable`."""

    def __init__(self, forest: PackedForest, library: ctypes.CDLL, made: int, count: int) -> None:
        self._forest = forest
        self._library = library
        self._made = made
        self._count = count

    def __del__(self) -> None:
        self._library.table_free(self._made)

    def predict(self, shared: bytes, requests: int, picks: Picks | None = None) -> bytes:
        """Returns the scores of pairs, float64 [pairs, classes], for `shared`, float64 [requests, features]."""
        counts, positions = (picks.counts, picks.positions) if picks else (None, None)
        pairs = len(picks.positions) // 4 if picks else requests * self._count
        scores = self._forest.buffer.reserve(pairs)
        _check(self._library.table_predict(self._made, shared, requests, counts, positions, scores))
        return self._forest.buffer.read(pairs)


def _check(status: int) -> None:
    """Raises MemoryError for an error status: it has no other cause."""
    if status:
        raise MemoryError


def _load(engine: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(engine)
    except OSError as error:
        raise NotPackedError(f"the library of the engine cannot be loaded: {error}") from error
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_handle, _size, _bytes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
_SIGNATURES = {
    "forest_pack": (_handle, _bytes, _size, _bytes, _size),
    "forest_free": (None, _handle),
    "forest_columns": (ctypes.c_uint32, _handle),
    "forest_classes": (ctypes.c_uint32, _handle),
    "forest_predict": (ctypes.c_int, _handle, _bytes, _size, _handle),
    "table_make": (_handle, _handle, _handle, _size, _bytes, _size),
    "table_free": (None, _handle),
    "table_predict": (ctypes.c_int, _handle, _bytes, _size, _bytes, _bytes, _handle),
}
