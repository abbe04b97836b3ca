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
        self._until_s = 0.0
        self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is logged."""
        if str(record.msg).startswith(_OF_PEERS):
            return False
        if record.created >= self._until_s:
            self._until_s, self._lines = record.created + WINDOW_S, 0
        self._lines += 1
        return self._lines <= MOST_LINES


class KindLimit(logging.Filter):
    """Limits the records of each kind to `MOST_OF_A_KIND` in `KIND_WINDOW_S`. A kind is a logger and a text with gaps.

    The first record of the kind after that says how many were dropped; `dropped` counts them all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is logged."""
        name = record.name, str(record.msg)
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= MOST_KINDS:  # texts without gaps: each is a kind of its own
                self._kinds.clear()
            kind = self._kinds[name] = _Kind()
        if record.created >= kind.until_s:
            if kind.dropped:
                record.msg = f"{record.getMessage()} (and {kind.dropped} lines like this one were dropped)"
                record.args = ()
            kind.until_s, kind.lines, kind.dropped = record.created + KIND_WINDOW_S, 0, 0
        kind.lines += 1
        if kind.lines <= MOST_OF_A_KIND:
            return True
        kind.dropped += 1
        self.dropped += 1
        return False


class _Kind:
    __slots__ = ("dropped", "lines", "until_s")

    def __init__(self) -> None:
        self.until_s = 0.0
        self.lines = 0
        self.dropped = 0
