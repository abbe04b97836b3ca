"""Limits of log lines, so that no peer, and no fault that repeats, can fill the log."""

from __future__ import annotations

import logging

MOST_LINES, WINDOW_S = 10, 60.0
MOST_OF_A_KIND, KIND_WINDOW_S = 200, 10.0
MOST_KINDS = 1000
PEERS = ("grpc._cython.cygrpc", "asyncio")
# A caller that leaves while its response is written, and metadata that is not UTF-8.
_OF_PEERS = ("ExecuteBatchError raised in core", "Invalid encoding on")


class PeerFaults(logging.Filter):
    """Drops lines that any peer can cause, and limits the others to `MOST_LINES` in `WINDOW_S`."""

    def __init__(self) -> None:
        super().__init__()
        self._window = _Window(MOST_LINES, WINDOW_S)

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is logged."""
        return not str(record.msg).startswith(_OF_PEERS) and self._window.has_room(record.created)


class KindLimit(logging.Filter):
    """Limits the records of each kind to `MOST_OF_A_KIND` in `KIND_WINDOW_S`. A kind is a logger and a text with gaps.

    The first record of the kind after that says how many were dropped; `dropped` counts them all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._kinds: dict[tuple[str, str], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is logged."""
        name = record.name, str(record.msg)
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= MOST_KINDS:  # texts without gaps: each is a kind of its own
                self._kinds.clear()
            kind = self._kinds[name] = _Window(MOST_OF_A_KIND, KIND_WINDOW_S)
        dropped_before = kind.dropped
        if not kind.has_room(record.created):
            self.dropped += 1
            return False
        if dropped_before:
            record.msg = f"{record.getMessage()} (and {dropped_before} lines like this one were dropped)"
            record.args = ()
        return True


class _Window:
    """Has room for `most` lines in `window_s`, from the first of them on; `dropped` counts the others in it."""

    __slots__ = ("_lines", "_most", "_until_s", "_window_s", "dropped")

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._until_s = 0.0
        self._lines = 0
        self.dropped = 0

    def has_room(self, created_s: float) -> bool:
        """Counts a line; returns whether it is within the limit."""
        if created_s >= self._until_s:
            self._until_s, self._lines, self.dropped = created_s + self._window_s, 0, 0
        self._lines += 1
        if self._lines > self._most:
            self.dropped += 1
        return self._lines <= self._most
