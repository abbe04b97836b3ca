"""CPU starvation of a thread: while it is high, more cohorts under way only make the batches smaller."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

WINDOW_S = 0.05


class _Sample(NamedTuple):
    """The counters of the kernel at one time, and the smoothed share up to then."""

    at_s: float
    run_ns: int
    wait_ns: int
    share: float


class CpuStarvation:
    """The share of time that one thread waits for a CPU: wait / (run + wait), smoothed, 0 to 1.

    Reads `/proc/self/task/TID/schedstat` (run ns, wait ns; Linux `Documentation/scheduler/sched-stats.rst`)
    through an open descriptor: one system call of about 2 us, at most every `WINDOW_S / 10`. If the kernel
    has no schedstat, the share is always 0.

    Construct it on the thread to measure. One thread calls `share`; any thread may call `peek`. `clock` returns
    monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        started_s = clock()
        try:
            self._file: int | None = os.open(
                f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY | os.O_CLOEXEC
            )
        except OSError:
            self._file = None
        self._last = _Sample(started_s, *self._read(), share=0.0)

    def share(self) -> float:
        """Takes a sample if one is due, and returns the smoothed share up to now."""
        self._last = self._sample()
        return self._last.share

    def peek(self) -> float:
        """Returns the smoothed share up to now, as `share` does, but changes nothing."""
        return self._sample().share

    def _sample(self) -> _Sample:
        """Returns a new sample; the last one if the next is not due yet."""
        last = self._last  # read once: another thread may replace it
        now_s = self._clock()
        elapsed_s = now_s - last.at_s
        if elapsed_s < WINDOW_S / 10:
            return last
        run_ns, wait_ns = self._read()
        ran, waited = run_ns - last.run_ns, wait_ns - last.wait_ns
        fresh = waited / (ran + waited) if ran + waited > 0 else 0.0
        weight = min(1.0, elapsed_s / WINDOW_S)
        return _Sample(now_s, run_ns, wait_ns, last.share + weight * (fresh - last.share))

    def _read(self) -> tuple[int, int]:
        if self._file is None:
            return 0, 0
        run, wait, _ = os.pread(self._file, 64, 0).split()
        return int(run), int(wait)
