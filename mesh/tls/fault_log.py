"""Logs a lasting fault at a bounded rate."""

from __future__ import annotations

import logging
from datetime import datetime

REPEAT_S = 600.0  # between two lines about the same fault
CHANGE_S = 10.0  # between two lines about different faults


class FaultLog:
    """Logs a fault when it begins or changes, and again while it lasts."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._sentence = ""
        self._at: datetime | None = None

    def report(self, sentence: str, now: datetime) -> None:
        """Logs `sentence` unless a line of this log is too recent; "": the fault is over."""
        wait_s = REPEAT_S if sentence == self._sentence else CHANGE_S
        if not sentence:
            self._sentence = ""
        elif self._at is None or abs((now - self._at).total_seconds()) >= wait_s:
            self._sentence, self._at = sentence, now
            self._log.error("%s", sentence)
