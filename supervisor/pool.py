"""A model's replicas, and the rows that wait for them: bound to a replica as late as possible."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

from mesh.catalog.catalog import Model
from mesh.catalog.files import class_fault
from mesh.errors import MeshError, Unavailable
from mesh.model_file import ModelHeader
from mesh.players.features import Columns
from supervisor.ballot import Ballot, Shipment
from supervisor.draining_lanes import LeavingLanes
from supervisor.lane import Lane, Scores
from supervisor.row_queue import WaitingRows
from supervisor.rows import CohortRows, RowPlan, RowPlanner

# A replica gets rows only while less than this is outstanding with it (late binding): enough to keep it busy over
# a message's way, too little to queue behind a slow row while another replica is free.
DEPTH_S = 0.004
# The most work in one message where other replicas could share it, and where there is only one.
GRAIN_S = 0.008
GRAIN_ALONE_S = 0.05
MAX_MESSAGE_ROWS = 1024  # below what a worker takes at once
MAX_MESSAGE_PAIRS = 65_536
FIRST_GUESS_ROW_S = 0.0005
MIN_ROW_S = 1e-6
LEARNING_WEIGHT = 0.2
MAX_TRIES = 2
# A replica that answers an error gets nothing for so long while its sisters can: errors come fast and would attract
# the traffic.
REST_S = 0.1


class ModelPool:
    """The replicas of one model. Rows are bound to one when its outstanding work is nearly done."""

    def __init__(
        self, model: Model, planner: RowPlanner, columns: Columns, on_starved: Callable[[float], None]
    ) -> None:
        self.model = model
        self.lanes: dict[str, Lane] = {}
        self.was_up = asyncio.Event()
        self._leaving = LeavingLanes()
        self._waiting = WaitingRows()
        self._resting: set[Lane] = set()
        self._planner = planner
        self._columns = columns
        self._on_starved = on_starved
        self._row_s = FIRST_GUESS_ROW_S
        self._header: ModelHeader | None = None
        self._sha256: str | None = None
        self._plan: tuple[Columns, RowPlan] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def waiting_rows(self) -> int:
        """Rows that wait for a replica."""
        return self._waiting.rows

    @property
    def outstanding_rows(self) -> int:
        """Rows that replicas are working on."""
        return sum(lane.outstanding_rows for lane in (*list(self.lanes.values()), *self._leaving.lanes()))

    def score(
        self, rows: CohortRows, columns: Columns, ballot: Ballot, index: int, deadline_s: float
    ) -> asyncio.Future[MeshError | None]:
        """Has every row scored into `ballot.votes[index]`.

        The future's result is None, or the reason why that could not be, or not in time; it has no exception.
        """
        try:
            if self._header is None or not self._hopeful():
                raise Unavailable(self._why_none_is_up())
            matrix = rows.matrix(self._planned(self._header, columns))
            leg = ballot.leg(index, matrix, self._header.classes, self.model.class_ or 0, deadline_s)
            self._waiting.add(Shipment(leg, 0, matrix.count))
        except MeshError as failure:
            ballot.settled(index, failure)
            refused: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
            refused.set_result(failure)
            return refused
        self._dispatch()
        return leg.done

    def assign(self, addresses: Sequence[str]) -> None:
        """Makes these the model's replicas: opens lanes to new ones; those that are gone finish what they have."""
        for address in self.lanes.keys() - set(addresses):
            self._leaving.add(self.lanes.pop(address), self._tasks.pop(address))
        for address in addresses:
            if address not in self.lanes:
                lane = self.lanes[address] = Lane(address, self.model.name, self)
                self._tasks[address] = asyncio.create_task(lane.run(), name=f"lane {self.model.name} {address}")
        self._fail_without_hope(Unavailable("its replica is gone"))

    async def close(self) -> None:
        """Closes every lane at once."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._leaving.close(), return_exceptions=True)
        self.lanes.clear()
        self._tasks.clear()

    def accept(self, lane: Lane, header: ModelHeader, properties: dict[str, str]) -> None:
        """Refuses a replica that serves another model than its sisters, than published, or than can be fed."""
        others = (*self.lanes.values(), *self._leaving.lanes())
        sisters = any(other.state == "up" for other in others if other is not lane)
        sha256 = properties.get("sha256")
        if sisters and (header, sha256) != (self._header, self._sha256):
            raise Unavailable("it serves another model file than its sisters")
        if self.model.sha256 is not None and sha256 not in (None, self.model.sha256):
            raise Unavailable("the sha256 of its model is not the catalog's")
        fault = class_fault(self.model, header)
        if fault is not None:
            raise Unavailable("class " + fault[0])
        plan = (self._columns, self._planner.plan(header, self._columns))
        if header != self._header:  # what waits was laid out for the model that was here before
            self._waiting.fail(Unavailable("its model was replaced by another"))
        self._plan = plan
        self._header = header
        self._sha256 = sha256

    def on_up(self) -> None:
        """Gives the lane what waits."""
        self.was_up.set()
        self._dispatch()

    def on_down(self, lost: list[Any]) -> None:
        """Sends what was lost with the lane to another replica, once; if none is up, those votes are absent."""
        failure = Unavailable("its replica was lost")
        for shipment in reversed(lost):
            self._retry(shipment, failure)
        self._fail_without_hope(failure)
        self._dispatch()

    def on_reply(self, lane: Lane, shipment: Any, reply: Scores | MeshError) -> None:
        """Writes votes down and gives the lane more to do; what it refused is tried once elsewhere."""
        if isinstance(reply, Scores):
            self._learn(shipment, reply)
            shipment.leg.cast(shipment.start, shipment.stop, reply.values)
        elif not self._hopeful(beside=lane):
            shipment.leg.settle(reply)
        else:
            self._rest(lane)
            self._retry(shipment, reply)
        self._dispatch()

    def _learn(self, shipment: Shipment, reply: Scores) -> None:
        self._on_starved(reply.starved)
        if reply.predict_s is not None:
            self._row_s += LEARNING_WEIGHT * (max(reply.predict_s / shipment.rows, MIN_ROW_S) - self._row_s)

    def _planned(self, header: ModelHeader, columns: Columns) -> RowPlan:
        if self._plan is None or self._plan[0] is not columns:
            self._columns = columns
            self._plan = (columns, self._planner.plan(header, columns))
        return self._plan[1]

    def _dispatch(self) -> None:
        while self._waiting.rows and self._waiting:
            free = [lane for lane in self._up() if self._is_free(lane)]
            if not free:
                return
            self._deal(sorted(free, key=_outstanding) if len(free) > 1 else free)

    def _deal(self, free: Sequence[Lane]) -> None:
        """One even share of what waits to each of `free`, the least busy first."""
        grain_s = GRAIN_S if len(self.lanes) > 1 else GRAIN_ALONE_S
        grain = max(1, int(grain_s / self._row_s))
        for position, lane in enumerate(free):
            if self._waiting:
                share = math.ceil(self._waiting.rows / (len(free) - position))
                lane.send(self._waiting.take(min(share, grain, self._room(lane))))

    def _room(self, lane: Lane) -> int:
        """The most rows of what waits first that one message on `lane` can carry."""
        if lane.max_pairs is None or not self._waiting.first.leg.matrix.is_factored:
            return MAX_MESSAGE_ROWS
        return min(MAX_MESSAGE_PAIRS, lane.max_pairs)

    def _up(self) -> list[Lane]:
        return [lane for lane in self.lanes.values() if lane.state == "up"]

    def _hopeful(self, beside: Lane | None = None) -> bool:
        """Whether rows can go to a lane, or to one that is just being opened: a replica's successor, mostly."""
        return any(lane.state != "down" for lane in self.lanes.values() if lane is not beside)

    def _fail_without_hope(self, failure: MeshError) -> None:
        if not self._hopeful():
            self._waiting.fail(failure)

    def _is_free(self, lane: Lane) -> bool:
        return lane not in self._resting and lane.outstanding_rows * self._row_s < DEPTH_S

    def _rest(self, lane: Lane) -> None:
        self._resting.add(lane)
        asyncio.get_running_loop().call_later(REST_S, self._rested, lane)

    def _rested(self, lane: Lane) -> None:
        self._resting.discard(lane)
        self._dispatch()

    def _retry(self, shipment: Shipment, failure: MeshError) -> None:
        if shipment.tries < MAX_TRIES and shipment.is_wanted():
            shipment.tries += 1
            self._waiting.put_back(shipment)
        else:
            shipment.leg.settle(failure)

    def _why_none_is_up(self) -> str:
        reasons = {lane.why_down or "its stream has ended" for lane in self.lanes.values()}
        return f"no replica is up: {'; '.join(sorted(reasons))}" if reasons else "no replica is known"


def _outstanding(lane: Lane) -> int:
    return lane.outstanding_rows
