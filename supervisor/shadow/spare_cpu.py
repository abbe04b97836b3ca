"""Spare CPU: whether shadows may work now, so that no answer waits for them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

POLL_S = 0.01
# Below this share of time that threads wait for a CPU, the machine has room beside the cohorts under way.
TIGHT_SHARE = 0.05


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


class StarvedShare(Protocol):
    """The CPU starvation of this machine. `MachineStarvation` implements it."""

    def share(self) -> float:
        """Returns the share of time that the busiest thread waits for a CPU, 0 to 1."""
        ...


class SpareCpu:
    """Shadows may work while no request waits, and no cohort is under way or the machine has CPU to spare."""

    def __init__(self, live: LiveWork, starvation: StarvedShare) -> None:
        self._live = live
        self._starvation = starvation
        self._changed = asyncio.Event()

    def is_spare(self) -> bool:
        """Returns whether shadows may work now."""
        if self._live.waiting_count:
            return False
        return not self._live.under_way or self._starvation.share() < TIGHT_SHARE

    def notify(self) -> None:
        """Wakes `wait`: the last cohort under way has returned."""
        self._changed.set()

    async def wait(self) -> None:
        """Returns when shadows may work; the callbacks that are ready, which send answers, run before."""
        await asyncio.sleep(0)
        while not self.is_spare():
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._changed.wait()
            await asyncio.sleep(0)
