"""Successors: lanes that replace others after a change of the certificate, each when it is up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mesh.back_off import Uniform
from supervisor.lane import Lane
from supervisor.shipment import Shipment

# Many handshakes at once would delay requests: with 90 lanes, they need 0.2 s of CPU here, and as much in the replicas.
SPREAD_S = 4.0


class Successors:
    """At most one successor of each lane. gRPC cannot change the certificate of an open channel (grpc/grpc#41779).

    `new_lane` makes a lane to an address. A successor connects within `SPREAD_S`, and tries again until it is taken or
    dropped; the lane before serves until then.
    """

    def __init__(self, new_lane: Callable[[str], Lane[Shipment]], uniform: Uniform = random.uniform) -> None:
        self._new_lane = new_lane
        self._uniform = uniform
        self._on_the_way: dict[str, tuple[Lane[Shipment], asyncio.Task[None]]] = {}  # by the address of the replica

    def begin(self, address: str) -> None:
        """Makes a successor of the lane to `address`, unless there is one."""
        if address not in self._on_the_way:
            lane = self._new_lane(address)
            lane.is_successor = True
            running = asyncio.create_task(self._run(lane), name=f"successor of the lane to {address}")
            self._on_the_way[address] = lane, running

    def take(self, lane: Lane[Shipment]) -> asyncio.Task[None] | None:
        """Returns the task that runs `lane`, which is a successor no longer; None if it is not one."""
        known, running = self._on_the_way.get(lane.address, (None, None))
        if known is not lane:
            return None
        del self._on_the_way[lane.address]
        lane.is_successor = False
        return running

    def drop(self, address: str) -> tuple[Lane[Shipment], asyncio.Task[None]] | None:
        """Returns the successor of the lane to `address`, which the caller closes; None if there is none."""
        return self._on_the_way.pop(address, None)

    def drop_all(self) -> list[asyncio.Task[None]]:
        """Returns the tasks of all successors, which the caller cancels."""
        tasks = [running for _, running in self._on_the_way.values()]
        self._on_the_way.clear()
        return tasks

    async def _run(self, lane: Lane[Shipment]) -> None:
        await asyncio.sleep(self._uniform(0, SPREAD_S))
        await lane.run()
