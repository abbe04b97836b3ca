"""Writes log lines on a thread: a full pipe must not stall the event loop, and a stalled reader loses lines."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque

MOST_WAITING = 10_000  # lines
LAST_S = 1.0  # for the lines that wait at the end of the process


class ThreadHandler(logging.Handler):
    """Writes each record to `descriptor`.

    While `MOST_WAITING` lines wait, new ones are dropped, and counted in `dropped`. The caller formats its records,
    because their arguments may change afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._is_ready = threading.Event()
        self._is_empty = threading.Event()
        self._is_empty.set()
        self._thread: threading.Thread | None = None
        self._reported = 0
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the line of a record."""
        try:
            line = self.format(record)
        except Exception:  # a wrong format in one call must not end the program
            self.handleError(record)
            return
        if len(self._lines) >= MOST_WAITING:
            self.dropped += 1
            return
        self._lines.append(line.encode(errors="backslashreplace") + b"\n")
        self._is_empty.clear()
        self._is_ready.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Waits until all lines are written, for `LAST_S` at most."""
        self._is_empty.wait(LAST_S)

    def _write_all(self) -> None:
        while True:
            self._is_ready.wait()
            self._is_ready.clear()
            while self._lines:
                self._write(self._lines.popleft())
            if self.dropped > self._reported:
                lost, self._reported = self.dropped - self._reported, self.dropped
                self.emit(_record(f"{lost} log lines were dropped, because the reader of the log was too slow"))
                continue
            if not self._lines:
                self._is_empty.set()

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:  # the reader is gone
            self.dropped += 1
            self._reported = self.dropped


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("mesh.logs", logging.WARNING, __file__, 0, message, (), None)
