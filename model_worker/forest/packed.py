"""The adapter to our own engine in C (engine/forest.h), which gives LightGBM's scores in a fraction of its time."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES

from model_worker.forest import Candidates, CandidateTable, Picks
from model_worker.forest.score_room import ScoreRoom
from model_worker.forest.written_out import WrittenOutTable

_REASON_BYTES = 200


class NotPackedError(Exception):
    """Why the engine does not take a model, as a sentence or the name of what it does not do."""


def find_engine() -> str | None:
    """The path of the engine's library beside this file; None where it was not built."""
    from os.path import exists  # pathlib is 6 ms of a start

    paths = [__file__.replace("packed.py", f"_engine{suffix}") for suffix in EXTENSION_SUFFIXES]
    return next(filter(exists, paths), None)


class PackedForest:
    """A packed model behind the port `Forest`; packed at construction, raises `NotPackedError` or MemoryError."""

    def __init__(self, engine: str, model: bytes) -> None:
        self._library = _load(engine)
        reason = ctypes.create_string_buffer(_REASON_BYTES)
        self._packed = self._library.forest_pack(model, len(model), reason, _REASON_BYTES)
        if not self._packed:
            raise _refusal(reason.value.decode())
        self.features = self._library.forest_columns(self._packed)
        self.classes = self._library.forest_classes(self._packed)
        self.room = ScoreRoom(self.classes)

    def __del__(self) -> None:
        if getattr(self, "_packed", None):
            self._library.forest_free(self._packed)

    def predict(self, rows: bytes, count: int) -> bytes:
        """Scores, float64 [count, classes], of `rows`, float64 [count, features]; lists among them are found."""
        _check(self._library.forest_predict(self._packed, rows, count, self.room.of(count)))
        return self.room.take(count)

    def table(self, candidates: Candidates) -> CandidateTable:
        """`candidates`, looked at beforehand; written out as rows where that would take too much memory."""
        columns = (ctypes.c_uint32 * len(candidates.columns))(*candidates.columns)
        made = self._library.table_make(self._packed, columns, len(columns), candidates.values, candidates.count)
        return PackedTable(self, self._library, made, candidates.count) if made else WrittenOutTable(self, candidates)


def _refusal(reason: str) -> Exception:
    return NotPackedError(reason) if reason not in ("", "out of memory") else MemoryError(reason)


class PackedTable:
    """A list of candidates behind the port `CandidateTable`."""

    def __init__(self, forest: PackedForest, library: ctypes.CDLL, made: int, count: int) -> None:
        self._forest = forest
        self._library = library
        self._made = made
        self._count = count

    def __del__(self) -> None:
        self._library.table_free(self._made)

    def predict(self, shared: bytes, requests: int, picks: Picks | None = None) -> bytes:
        """Scores, float64 [pairs, classes], of the candidates with the rows `shared`, float64 [requests, features]."""
        counts, positions = (picks.counts, picks.positions) if picks else (None, None)
        pairs = len(picks.positions) // 4 if picks else requests * self._count
        scores = self._forest.room.of(pairs)
        _check(self._library.table_predict(self._made, shared, requests, counts, positions, scores))
        return self._forest.room.take(pairs)


def _check(status: int) -> None:
    """Raises MemoryError when nothing was scored, which has no other reason."""
    if status:
        raise MemoryError


def _load(engine: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(engine)
    except OSError as error:
        raise NotPackedError(f"its library cannot be loaded: {error}") from error
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
