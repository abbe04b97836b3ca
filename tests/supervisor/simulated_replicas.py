"""Replicas in virtual time: each scores one message after the other, and a test makes it slow, frozen or broken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from mesh.errors import MeshError, Unavailable
from mesh.model_file import ModelHeader
from supervisor.lane import Lane, LaneState
from supervisor.lane_reply import ScoreReply
from supervisor.pool import ModelPool
from supervisor.shipment import Shipment
from tests.supervisor.virtual_time import now_s

TRAVEL_S = 0.001


@dataclass(frozen=True)
class Sending:
    """One message, as it was sent: whether its lane was out of rotation, and whether another was in."""

    rows: int
    is_second_try: bool
    was_out: bool
    was_other_in: bool


class SimulatedLane:
    """The lane to a replica that takes `row_s` a row."""

    def __init__(self, pool: ModelPool, name: str, header: ModelHeader, row_s: float, sendings: list[Sending]) -> None:
        self.state: LaneState = "up"
        self.address = name
        self.why_down = ""
        self.outstanding_rows = 0
        self.is_stale = False
        self.max_pairs: int | None = None
        self.slowness = 1.0
        self.is_failing = False
        self.received: list[Shipment] = []
        self._row_s = row_s
        self._sendings = sendings
        self._pool = pool
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._free_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        pool.lanes[name] = self.lane
        pool.accept(self.lane, header, {})

    @property
    def lane(self) -> Lane[Shipment]:
        """This lane, as the pool sees it."""
        return cast(Lane[Shipment], self)

    def outstanding(self) -> list[Shipment]:
        return self.received

    def send(self, shipment: Shipment) -> None:
        others = self._pool._generations.in_use.rotation.in_rotation(self._pool.lanes.values())
        self._sendings.append(Sending(shipment.rows, shipment.tries > 1, self.lane not in others, bool(others)))
        self.received.append(shipment)
        self.outstanding_rows += shipment.rows
        task = asyncio.ensure_future(self._serve(shipment))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def freeze(self) -> None:
        """Scores nothing until `thaw`."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def break_down(self) -> None:
        """Loses the connection, with everything that was sent."""
        lost = self.received.copy()
        self.received.clear()
        for task in self._tasks:
            task.cancel()
        self.outstanding_rows, self.state = 0, "down"
        self._pool.on_down(self.lane, lost)

    def recover(self) -> None:
        """Connects again."""
        self.state = "up"
        self._pool.on_up(self.lane)

    async def _serve(self, shipment: Shipment) -> None:
        work_s = shipment.rows * self._row_s * self.slowness
        self._free_s = max(self._free_s, now_s() + TRAVEL_S) + work_s
        await asyncio.sleep(self._free_s + TRAVEL_S - now_s())
        await self._thawed.wait()
        if self.state != "up":
            return
        self.received.remove(shipment)
        self.outstanding_rows -= shipment.rows
        self._pool.on_reply(self.lane, shipment, self._reply(shipment, work_s))

    def _reply(self, shipment: Shipment, work_s: float) -> ScoreReply | MeshError:
        if self.is_failing:
            return Unavailable("broken")
        return ScoreReply(shipment.vote.matrix.rows.sum(axis=1)[shipment.start : shipment.stop], work_s, 0.0)
