"""Circuit breaker in front of a feature store: after repeated failures, only a probe goes to the store now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mesh.errors import Unavailable

FAILURES = 3
# When the store works again, fresh features follow after at most this time plus one read.
PROBE_EVERY_S = 0.5

_log = logging.getLogger(__name__)


class Spared(Unavailable):
    """The store was not asked, because its last reads failed."""


class Breaker:
    """Opens after `FAILURES` failed reads in a row; the first successful read closes it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._last = ""
        self._probe_s = 0.0

    def admit(self) -> bool:
        """Admits a read and returns whether it is a probe; raises Spared if the store must not be asked now.

        Report the result of the read by `succeeded` or `failed`.
        """
        if self._failures < FAILURES:
            return False
        now_s = self._clock()
        if now_s < self._probe_s:
            raise Spared(
                f"the store is asked only every {PROBE_EVERY_S * 1000:.0f} ms, because it failed: {self._last}"
            )
        self._probe_s = now_s + PROBE_EVERY_S
        return True

    def succeeded(self) -> None:
        """The read succeeded."""
        if self._failures >= FAILURES:
            _log.warning("the feature store responds again")
        self._failures = 0

    def failed(self, reason: str, detail: str) -> None:
        """The read failed; `reason` is for callers, `detail` for the log."""
        self._failures += 1
        self._last = reason
        if self._failures == FAILURES:
            self._probe_s = self._clock() + PROBE_EVERY_S
            _log.warning("the feature store failed %d times in a row; reading it less often: %s", FAILURES, detail)
