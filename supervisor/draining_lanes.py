"""Lanes to removed replicas: they receive no new rows and stay open until their outstanding rows are answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from supervisor.lane import Lane
from supervisor.shipment import Shipment

DRAIN_S = 10.0  # the maximum of `budget_ms` in a catalog: no caller waits for a later reply


class DrainingLanes:
    """Closes each lane when nothing is outstanding on it (also after a loss), at the latest after `DRAIN_S`.

    Then calls `on_closed`.
    """

    def __init__(self, on_closed: Callable[[Lane[Shipment]], None]) -> None:
        self._on_closed = on_closed
        self._tasks: dict[Lane[Shipment], tuple[asyncio.Task[None], asyncio.Task[None]]] = {}

    def lanes(self) -> Sequence[Lane[Shipment]]:
        """The lanes that are still open."""
        return list(self._tasks)

    def add(self, lane: Lane[Shipment], running: asyncio.Task[None]) -> None:
        """Takes over `lane` and the task that runs it."""
        draining = asyncio.create_task(self._drain(lane, running), name=f"draining {running.get_name()}")
        self._tasks[lane] = (draining, running)

    async def close(self) -> None:
        """Closes all lanes at once and waits until they are closed."""
        tasks = [task for pair in self._tasks.values() for task in pair]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _drain(self, lane: Lane[Shipment], running: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await lane.emptied()
        running.cancel()
        await asyncio.wait((running,))
        del self._tasks[lane]
        self._on_closed(lane)
