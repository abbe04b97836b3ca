"""How badly this machine's processes wait for a CPU: the gate that keeps cohorts whole while the machine is full."""

from __future__ import annotations

import time

from mesh.starvation import CpuStarvation

GATE = 0.4
REPORT_WEIGHT = 0.1
REPORT_LASTS_S = 0.25


class Pressure:
    """The larger of two starvation shares: this loop's own, and what the workers' replies report, smoothed.

    Must be constructed on the event loop's thread.
    """

    def __init__(self) -> None:
        self._own = CpuStarvation()
        self._workers = 0.0
        self._reported_s = 0.0

    def report(self, share: float) -> None:
        """Takes in the share that one worker's reply carries."""
        self._workers += REPORT_WEIGHT * (min(max(0.0, share), 1.0) - self._workers)
        self._reported_s = time.monotonic()

    def share(self) -> float:
        """The share as of now, 0 to 1."""
        own = self._own.share()
        return max(own, self._workers) if time.monotonic() - self._reported_s < REPORT_LASTS_S else own

    def is_starved(self) -> bool:
        """Whether another cohort under way would only break the batches up (docs/decisions/0002-cohorts.md)."""
        return self.share() > GATE
