"""CPU starvation of a thread: while it is high, more cohorts under way only make the batches smaller."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

WINDOW_S = 0.05


class CpuStarvation:
    """The share of time that one thread waits for a CPU: wait / (run + wait), smoothed, 0 to 1.

    Reads `/proc/self/task/TID/schedstat` (run ns, wait ns; Linux `Documentation/scheduler/sched-stats.rst`)
    through an open descriptor: one system call of about 2 us, at most every `WINDOW_S / 10`. If the kernel
    has no schedstat, the share is always 0.

    Construct it on the thread to measure; any thread may read it. `clock` returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._share = 0.0
        self._sampled_s = clock()
        try:
            self._file: int | None = os.open(
                f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY | os.O_CLOEXEC
            )
        except OSError:
            self._file = None
        self._run_ns, self._wait_ns = self._read()

    def share(self) -> float:
        """Returns the smoothed share up to now."""
        now_s = self._clock()
        elapsed_s = now_s - self._sampled_s
        if elapsed_s >= WINDOW_S / 10:
            self._sample(elapsed_s)
            self._sampled_s = now_s
        return self._share

    def _sample(self, elapsed_s: float) -> None:
        run_ns, wait_ns = self._read()
        ran, waited = run_ns - self._run_ns, wait_ns - self._wait_ns
        self._run_ns, self._wait_ns = run_ns, wait_ns
        fresh = waited / (ran + waited) if ran + waited > 0 else 0.0
        weight = min(1.0, elapsed_s / WINDOW_S)
        self._share += weight * (fresh - self._share)

    def _read(self) -> tuple[int, int]:
        if self._file is None:
            return 0, 0
        run, wait, _ = os.pread(self._file, 64, 0).split()
        return int(run), int(wait)
