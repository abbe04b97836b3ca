"""Stops asking a store that fails again and again, and lets one read through from time to time to see if it is back."""

from __future__ import annotations

from collections.abc import Callable

FAILURES = 3
# Fresh features come back at most this long, and one read, after the store does.
PROBE_EVERY_S = 0.5


class Breaker:
    """Shut after `FAILURES` reads in a row that brought nothing; the first that brings something opens it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._last = ""
        self._probe_s = 0.0

    @property
    def reason(self) -> str:
        """Why the store is not asked."""
        return f"the store is asked only every {PROBE_EVERY_S * 1000:.0f} ms, since it failed: {self._last}"

    def admits(self) -> bool:
        """Whether a read may go now. What it brings must be told by `succeeded` or `failed`."""
        if self._failures < FAILURES:
            return True
        now_s = self._clock()
        if now_s < self._probe_s:
            return False
        self._probe_s = now_s + PROBE_EVERY_S
        return True

    def succeeded(self) -> None:
        """A read brought something."""
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A read brought nothing."""
        self._failures += 1
        self._last = reason
        if self._failures == FAILURES:
            self._probe_s = self._clock() + PROBE_EVERY_S
