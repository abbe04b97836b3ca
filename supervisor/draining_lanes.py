"""Lanes to replicas that are no longer wanted: they get nothing new, and what is outstanding with them is awaited."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from supervisor.lane import Lane

DRAIN_S = 10.0  # as long as the longest budget: what comes later, nobody waits for


class LeavingLanes:
    """Closes each lane once it is empty, which it also is when its replica is lost; at the latest after `DRAIN_S`."""

    def __init__(self) -> None:
        self._tasks: dict[Lane, tuple[asyncio.Task[None], asyncio.Task[None]]] = {}

    def lanes(self) -> Sequence[Lane]:
        """Those that are not closed yet."""
        return list(self._tasks)

    def add(self, lane: Lane, running: asyncio.Task[None]) -> None:
        """Takes over `lane` and the task that runs it."""
        leaving = asyncio.create_task(self._let_go(lane, running), name=f"leaving {running.get_name()}")
        self._tasks[lane] = (leaving, running)

    async def close(self) -> None:
        """Closes all at once; returns when they are."""
        tasks = [task for pair in self._tasks.values() for task in pair]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _let_go(self, lane: Lane, running: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await lane.emptied()
        running.cancel()
        await asyncio.wait((running,))
        del self._tasks[lane]
