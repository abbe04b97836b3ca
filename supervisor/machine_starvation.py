"""CPU starvation of this machine: the share of time that the supervisor and its workers wait for a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

STARVED_SHARE = 0.4
REPORT_WEIGHT = 0.1
REPORT_EXPIRES_S = 0.25


class ThreadStarvation(Protocol):
    """The share of time that one thread waits for a CPU. `CpuStarvation` implements it."""

    def share(self) -> float:
        """Takes a sample if one is due, and returns the share."""
        ...

    def peek(self) -> float:
        """Returns the share without a change of the state."""
        ...


class MachineStarvation:
    """The larger of two shares: that of the event loop's thread, and the smoothed share in the workers' replies."""

    def __init__(self, loop_thread: ThreadStarvation, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop_thread = loop_thread
        self._clock = clock
        self._workers_share = 0.0
        self._reported_s = 0.0

    def report(self, share: float) -> None:
        """Adds the share of one worker's reply."""
        self._workers_share += REPORT_WEIGHT * (min(max(0.0, share), 1.0) - self._workers_share)
        self._reported_s = self._clock()

    def share(self) -> float:
        """Returns the current share, 0 to 1. Reports count for `REPORT_EXPIRES_S`. Call it on the event loop only."""
        return self._with_workers(self._loop_thread.peek())

    def peek(self) -> float:
        """Returns the current share and changes nothing, so the metrics thread may call it."""
        return self._with_workers(self._loop_thread.peek())

    def is_starved(self) -> bool:
        """Returns whether one more cohort under way only makes batches smaller (docs/decisions/0002-cohorts.md)."""
        return self.share() > STARVED_SHARE

    def _with_workers(self, own: float) -> float:
        return max(own, self._workers_share) if self._clock() - self._reported_s < REPORT_EXPIRES_S else own
