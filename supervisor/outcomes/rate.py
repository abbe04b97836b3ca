"""Outcome rate: how many reports a supervisor takes while it answers offers.

Offers need the event loop first. The more of its time they take, the fewer reports are taken
(docs/decisions/0026-outcomes.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

LEAST_PER_S, MOST_PER_S = 50.0, 2000.0
BURST_S = 0.25  # reports of this time may come at once
# From the first to the second of each pair, the rate falls from the most to the least.
BUSY = (0.2, 0.7)  # the share of time in which the loop's thread runs
STARVED = (0.3, 0.6)  # the share of time in which the loop's thread waits for a CPU, while it has work
LATE_S = (0.01, 0.03)  # the delay of the loop's timers
PROBE_S = 0.25


class ThreadStarvation(Protocol):
    """The share of time that the thread of the event loop waits for a CPU. `CpuStarvation` implements it."""

    def peek(self) -> float:
        """Returns the share, 0 to 1, without a change of the state."""
        ...


class OutcomeRate:
    """A token bucket of reports. `watch` sets its rate by the time that the event loop has left beside offers.

    `departures` returns the number of cohorts that have departed. `clock` is monotonic, `cpu_clock` is the CPU time of
    the loop's thread; both are in seconds.
    """

    def __init__(
        self,
        starvation: ThreadStarvation,
        departures: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._starvation = starvation
        self._departures = departures
        self._clock = clock
        self._cpu_clock = cpu_clock
        self.per_s = MOST_PER_S
        self._tokens = MOST_PER_S * BURST_S
        self._filled_s = clock()
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """The number of reports that wait for their turn."""
        return len(self._queue)

    async def turn(self, within_s: float) -> bool:
        """Waits until one more report may be taken, in the order of the calls; False: not within `within_s`."""
        if not self._queue and self.take():
            return True
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bool] = loop.create_future()
        self._queue.append(waiting)
        self._call_next()
        expiry = loop.call_later(within_s, _settle, waiting, False)
        try:
            return await waiting
        finally:
            expiry.cancel()

    def take(self) -> bool:
        """Returns whether one more report may be taken now, and counts it if so."""
        self._fill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def watch(self) -> None:
        """Sets the rate several times a second, until it is cancelled."""
        while True:
            began_s, ran_s, departed = self._clock(), self._cpu_clock(), self._departures()
            await asyncio.sleep(PROBE_S)
            elapsed_s = self._clock() - began_s
            if self._departures() > departed:
                self.set_rate((self._cpu_clock() - ran_s) / elapsed_s, elapsed_s - PROBE_S)
            else:  # no offers to delay; the shares of an idle loop mean nothing on a busy machine
                self.set_rate(0.0, 0.0, counts_starvation=False)

    def set_rate(self, busy_share: float, late_s: float, *, counts_starvation: bool = True) -> None:
        """Sets the rate for a loop that is busy for `busy_share` of the time, and whose timers are `late_s` late.

        Without `counts_starvation`, the share of time that it waits for a CPU does not count.
        """
        self._fill()
        starved = self._starvation.peek() if counts_starvation else 0.0
        spare = min(_spare(busy_share, *BUSY), _spare(starved, *STARVED), _spare(late_s, *LATE_S))
        self.per_s = LEAST_PER_S + spare * (MOST_PER_S - LEAST_PER_S)

    def _call_next(self) -> None:
        """Calls `_serve` when a report may be taken."""
        if self._timer is None:
            wait_s = max(0.0, 1 - self._tokens) / self.per_s
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._serve)

    def _serve(self) -> None:
        self._timer = None
        while self._queue and (self._queue[0].done() or self.take()):
            _settle(self._queue.popleft(), True)
        if self._queue:
            self._call_next()

    def _fill(self) -> None:
        now_s = self._clock()
        most = max(1.0, self.per_s * BURST_S)
        self._tokens = min(most, self._tokens + (now_s - self._filled_s) * self.per_s)
        self._filled_s = now_s


def _settle(waiting: asyncio.Future[bool], is_turn: bool) -> None:
    if not waiting.done():
        waiting.set_result(is_turn)


def _spare(value: float, low: float, high: float) -> float:
    """Returns 1 up to `low`, 0 from `high` on, and a line between them."""
    return min(1.0, max(0.0, (high - value) / (high - low)))
