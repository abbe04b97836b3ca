"""The replicas of one model: their lanes, the model that they serve, and the votes that they return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mesh.catalog.catalog import Model
from mesh.catalog.files import class_fault
from mesh.errors import Expired, MeshError, Unavailable
from mesh.model_file import ModelHeader
from mesh.players.features import Columns
from supervisor.backlog import PoolLoad
from supervisor.ballot import Ballot, Shipment
from supervisor.connect_gate import ConnectGate
from supervisor.dealer import Dealer
from supervisor.draining_lanes import DrainingLanes
from supervisor.lane import Lane
from supervisor.lane_reply import ScoreReply
from supervisor.row_queue import RowQueue
from supervisor.rows import CohortRows, RowPlan, RowPlanner

MAX_TRIES = 2
# A replica that answers with an error gets no rows for this long if another replica can take them: errors return
# fast and would attract the traffic.
REST_S = 0.1


class ModelPool:
    """The replicas of one model. Queued rows wait for a free lane; see `Dealer`."""

    def __init__(
        self,
        model: Model,
        planner: RowPlanner,
        columns: Columns,
        on_starved: Callable[[float], None],
        models: int,
        gate: ConnectGate | None = None,
    ) -> None:
        self.model = model
        self._gate = gate or ConnectGate()
        self.lanes: dict[str, Lane[Shipment]] = {}
        self.was_up = asyncio.Event()
        self._draining = DrainingLanes()
        self._queue = RowQueue()
        self._dealer = Dealer(self._queue, models)
        self._planner = planner
        self._columns = columns
        self._on_starved = on_starved
        self._header: ModelHeader | None = None
        self._sha256: str | None = None
        self._plan: RowPlan | None = None  # for `_header` and `_columns`
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def messages(self) -> int:
        """The number of messages that the latest rows of a cohort became."""
        return self._dealer.messages

    @property
    def waiting_rows(self) -> int:
        """Rows queued for a replica."""
        return self._queue.rows

    @property
    def outstanding_rows(self) -> int:
        """Rows sent to replicas and not answered."""
        return sum(lane.outstanding_rows for lane in (*list(self.lanes.values()), *self._draining.lanes()))

    @property
    def load(self) -> PoolLoad:
        """The load of the replicas that are up."""
        up = [lane.outstanding_rows for lane in self.lanes.values() if lane.state == "up"]
        return PoolLoad(self._queue.rows + sum(up), len(up), self._dealer.row_s)

    def start_vote(
        self, rows: CohortRows, columns: Columns, ballot: Ballot, index: int, deadline_s: float
    ) -> asyncio.Future[MeshError | None]:
        """Queues the rows for a replica, to be scored by `deadline_s` (monotonic); returns at once.

        The scores go to `ballot.votes[index]`. The future resolves to None, or to the error if the vote failed.
        It never raises.
        """
        try:
            if self._header is None or not self._has_usable_lane():
                raise Unavailable(self._why_unavailable())
            matrix = rows.matrix(self._plan_for(self._header, columns))
            vote = ballot.open_vote(index, matrix, self._header.classes, self.model.class_ or 0, deadline_s)
            self._queue.add(Shipment(vote, 0, matrix.count))
        except MeshError as failure:
            ballot.record(index, failure)
            refused: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
            refused.set_result(failure)
            return refused
        self._deal()
        return vote.done

    def assign(self, addresses: Sequence[str]) -> None:
        """Sets the replicas of the model: opens a lane to each new address, and drains the lanes to the others."""
        for address in self.lanes.keys() - set(addresses):
            lane = self.lanes.pop(address)
            self._dealer.forget(lane)
            self._draining.add(lane, self._tasks.pop(address))
        for address in addresses:
            if address not in self.lanes:
                lane = self.lanes[address] = Lane(address, self.model.name, self, self._gate)
                self._tasks[address] = asyncio.create_task(lane.run(), name=f"lane {self.model.name} {address}")
        self._fail_queue_without_lane(Unavailable("its replica is gone"))

    async def close(self) -> None:
        """Closes every lane at once."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._draining.close(), return_exceptions=True)
        self.lanes.clear()
        self._tasks.clear()

    def accept(self, lane: Lane[Shipment], header: ModelHeader, properties: dict[str, str]) -> None:
        """Accepts the model of a replica, and keeps its header, digest and row plan.

        Raises Unavailable if the model differs from that of the other replicas or from the catalog, or if a feature has
        no source.
        """
        others = (*self.lanes.values(), *self._draining.lanes())
        is_other_up = any(other.state == "up" for other in others if other is not lane)
        sha256 = properties.get("sha256")
        if is_other_up and (header, sha256) != (self._header, self._sha256):
            raise Unavailable("it serves another model file than the other replicas")
        if self.model.sha256 is not None and sha256 not in (None, self.model.sha256):
            raise Unavailable("the sha256 of its model differs from the catalog")
        fault = class_fault(self.model, header)
        if fault is not None:
            raise Unavailable("class " + fault[0])
        plan = self._planner.plan(header, self._columns)
        if header != self._header:  # the queued rows have the layout of the previous model
            self._queue.fail(Unavailable("its model was replaced by another"))
        self._plan = plan
        self._header = header
        self._sha256 = sha256

    def on_up(self) -> None:
        """Deals the queued rows."""
        self.was_up.set()
        self._deal()

    def on_down(self, lost: list[Shipment]) -> None:
        """Retries each lost shipment once on another replica; without one, fails the votes."""
        failure = Unavailable("its replica was lost")
        for shipment in reversed(lost):  # each goes to the head of the queue, so the oldest must be the last
            self._retry(shipment, failure)
        self._fail_queue_without_lane(failure)
        self._deal()

    def on_reply(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply | MeshError) -> None:
        """Records the votes and deals again; a refused shipment is retried once if there is another lane."""
        if isinstance(reply, ScoreReply):
            self._on_starved(reply.starved)
            if reply.predict_s is not None:
                self._dealer.learn(request.rows, reply.predict_s)
            request.vote.cast(request.start, request.stop, reply.values)
        elif isinstance(reply, Expired) or not self._has_usable_lane(besides=lane):
            request.vote.settle(reply)  # expired rows say nothing against the replica
        else:
            self._rest(lane)
            self._retry(request, reply)
        self._deal()

    def _deal(self) -> None:
        self._dealer.deal(self.lanes.values())

    def _plan_for(self, header: ModelHeader, columns: Columns) -> RowPlan:
        if self._plan is None or self._columns is not columns:
            self._columns, self._plan = columns, None  # if the next line raises, `accept` must use the new columns, too
            self._plan = self._planner.plan(header, columns)
        return self._plan

    def _has_usable_lane(self, besides: Lane[Shipment] | None = None) -> bool:
        """Whether a lane is up, or makes its first attempt to connect: rows may wait for it.

        A lane that has failed is down until it is up again.
        """
        return any(lane.state != "down" for lane in self.lanes.values() if lane is not besides)

    def _fail_queue_without_lane(self, failure: MeshError) -> None:
        if not self._has_usable_lane():
            self._queue.fail(failure)

    def _rest(self, lane: Lane[Shipment]) -> None:
        self._dealer.rest(lane)
        asyncio.get_running_loop().call_later(REST_S, self._resume, lane)

    def _resume(self, lane: Lane[Shipment]) -> None:
        self._dealer.resume(lane)
        self._deal()

    def _retry(self, shipment: Shipment, failure: MeshError) -> None:
        if shipment.tries < MAX_TRIES and shipment.is_wanted():
            shipment.tries += 1
            self._queue.put_back(shipment)
        else:
            shipment.vote.settle(failure)

    def _why_unavailable(self) -> str:
        reasons = {lane.why_down or "its stream has ended" for lane in self.lanes.values()}
        return f"no replica is up: {'; '.join(sorted(reasons))}" if reasons else "no replica is known"
