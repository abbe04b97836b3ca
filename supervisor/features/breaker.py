"""Stops asking a store that fails again and again, and lets one read through from time to time to see if it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mesh.errors import Unavailable

FAILURES = 3
# Fresh features come back at most this long, and one read, after the store does.
PROBE_EVERY_S = 0.5

_log = logging.getLogger(__name__)


class Spared(Unavailable):
    """The store was not asked: it has failed so often that it is left alone for a moment."""


class Breaker:
    """Trips after `FAILURES` reads in a row that brought nothing; the first that brings something closes it again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._last = ""
        self._probe_s = 0.0

    def admit(self) -> bool:
        """Whether the read that may go now is a probe; raises Spared if none may.

        What the read brings must be told by `succeeded` or `failed`.
        """
        if self._failures < FAILURES:
            return False
        now_s = self._clock()
        if now_s < self._probe_s:
            raise Spared(f"the store is asked only every {PROBE_EVERY_S * 1000:.0f} ms, since it failed: {self._last}")
        self._probe_s = now_s + PROBE_EVERY_S
        return True

    def succeeded(self) -> None:
        """A read brought something."""
        if self._failures >= FAILURES:
            _log.warning("the feature store is back")
        self._failures = 0

    def failed(self, reason: str, detail: str) -> None:
        """A read brought nothing; `reason` is for callers, `detail` for the log."""
        self._failures += 1
        self._last = reason
        if self._failures == FAILURES:
            self._probe_s = self._clock() + PROBE_EVERY_S
            _log.warning("the feature store failed %d times in a row, and is spared: %s", FAILURES, detail)
