"""Spare CPU: when shadows may work, so that answers are not later because of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

POLL_S = 0.01
# Below this share of time that threads wait for a CPU, the machine has room beside the cohorts under way.
TIGHT_SHARE = 0.02
# The share of the time in which shadows work on a tight machine with live work. About as many requests meet the work of
# a shadow and are later by a part of it; nobody knows in an idle moment when the next request comes.
WORK_SHARE = 0.02


class LiveWork(Protocol):
    """The requests of callers. `Cohorts` implements it."""

    @property
    def under_way(self) -> int:
        """The number of cohorts under way."""
        ...

    @property
    def waiting_count(self) -> int:
        """The number of requests that wait for a cohort."""
        ...

    @property
    def departures(self) -> int:
        """The number of cohorts that have departed."""
        ...


class StarvedShare(Protocol):
    """The CPU starvation of this machine. `MachineStarvation` implements it."""

    def share(self) -> float:
        """Returns the share of time that the busiest thread waits for a CPU, 0 to 1."""
        ...


class SpareCpu:
    """Shadows may work while no request waits, and no cohort is under way or the machine has CPU to spare.

    Work that met a cohort is followed by a pause, so that shadows take `WORK_SHARE` of the time of one CPU. `clock` is
    monotonic, in seconds.
    """

    def __init__(self, live: LiveWork, starvation: StarvedShare, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._starvation = starvation
        self._clock = clock
        self._changed = asyncio.Event()
        self._departures = 0
        self._resumes_s = clock()

    def begin(self) -> None:
        """Records that a piece of work of a shadow begins."""
        self._departures = self._live.departures

    def end(self, work_s: float) -> None:
        """Records that the piece of work has ended; it took `work_s` of CPU, in seconds."""
        if self._live.departures != self._departures or self._live.under_way:
            self._resumes_s = self._clock() + work_s * (1 / WORK_SHARE - 1)

    def notify(self) -> None:
        """Wakes `wait`: the last cohort under way has returned."""
        self._changed.set()

    async def wait(self) -> None:
        """Returns when shadows may work; the callbacks that are ready, which send answers, run before."""
        await asyncio.sleep(0)
        while not self._is_spare():
            pause_s = self._resumes_s - self._clock()
            if pause_s > 0:
                await asyncio.sleep(min(pause_s, POLL_S))
                continue
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
            await asyncio.sleep(0)

    def _is_spare(self) -> bool:
        if self._live.waiting_count:
            return False
        is_quiet = not self._live.under_way and self._clock() >= self._resumes_s
        return is_quiet or self._starvation.share() < TIGHT_SHARE
