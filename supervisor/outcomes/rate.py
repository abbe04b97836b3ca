"""Outcome rate: how many reports a supervisor takes while it answers offers.

Offers need the event loop first. The more of its time they take, the fewer reports are taken (docs/decisions/0023).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from supervisor.machine_starvation import STARVED_SHARE

LEAST_PER_S, MOST_PER_S = 50.0, 2000.0
BURST_S = 0.25  # reports of this time may come at once
BUSY_FROM, BUSY_TO = 0.4, 0.8  # between these shares of the loop's time, the rate falls from the most to the least
LATE_S = 0.02  # a loop that is later has no time for reports
PROBE_S = 0.25


class ThreadStarvation(Protocol):
    """The share of time that the thread of the event loop waits for a CPU. `CpuStarvation` implements it."""

    def peek(self) -> float:
        """Returns the share, 0 to 1, without a change of the state."""
        ...


class OutcomeRate:
    """A token bucket of reports. `watch` sets its rate by the time that the event loop has left.

    `clock` is monotonic, `cpu_clock` is the CPU time of the loop's thread; both are in seconds.
    """

    def __init__(
        self,
        starvation: ThreadStarvation,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._starvation = starvation
        self._clock = clock
        self._cpu_clock = cpu_clock
        self.per_s = MOST_PER_S
        self._tokens = MOST_PER_S * BURST_S
        self._filled_s = clock()

    def take(self) -> bool:
        """Returns whether one more report may be taken now, and counts it if so."""
        self._fill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait_s(self) -> float:
        """Returns the time until one more report may be taken; 0: now."""
        self._fill()
        return max(0.0, 1 - self._tokens) / self.per_s

    async def watch(self) -> None:
        """Sets the rate several times a second, until it is cancelled."""
        while True:
            began_s, ran_s = self._clock(), self._cpu_clock()
            await asyncio.sleep(PROBE_S)
            elapsed_s = self._clock() - began_s
            self.set_rate((self._cpu_clock() - ran_s) / elapsed_s, elapsed_s - PROBE_S)

    def set_rate(self, busy_share: float, late_s: float) -> None:
        """Sets the rate for a loop that is busy for `busy_share` of the time, and whose timers are `late_s` late."""
        self._fill()
        is_pressed = late_s > LATE_S or self._starvation.peek() > STARVED_SHARE
        spare = 0.0 if is_pressed else min(1.0, max(0.0, (BUSY_TO - busy_share) / (BUSY_TO - BUSY_FROM)))
        self.per_s = LEAST_PER_S + spare * (MOST_PER_S - LEAST_PER_S)

    def _fill(self) -> None:
        now_s = self._clock()
        most = max(1.0, self.per_s * BURST_S)
        self._tokens = min(most, self._tokens + (now_s - self._filled_s) * self.per_s)
        self._filled_s = now_s
