"""The replicas of one model: their lanes, the model that they serve, and the votes that they return."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from mesh.catalog.catalog import Model
from mesh.catalog.files import class_fault
from mesh.errors import Expired, MeshError, Unavailable
from mesh.model_file import ModelHeader, with_categories
from mesh.players.features import Columns
from supervisor.backlog import PoolLoad
from supervisor.ballot import ModelVote, Place, Shipment, refused, rows_of
from supervisor.connect_gate import ConnectGate
from supervisor.dealer import Dealer
from supervisor.draining_lanes import DrainingLanes
from supervisor.hedging import Hedging
from supervisor.lane import Lane
from supervisor.lane_reply import ScoreReply
from supervisor.rotation import Rotation
from supervisor.row_queue import RowQueue
from supervisor.rows import CohortRows, RowPlan, RowPlanner
from supervisor.second_tries import SecondTryBudget
from supervisor.shadow.rows import ShadowRows

MAX_TRIES = 2


class Starvation(Protocol):
    """The CPU starvation of this machine. `MachineStarvation` implements it."""

    def report(self, share: float) -> None:
        """Adds the share of time that a worker waits for a CPU, from its reply."""
        ...

    def is_starved(self) -> bool:
        """Returns whether more work under way only makes all work slower."""
        ...


class ModelPool:
    """The replicas of one model. Queued rows wait for a free lane (`Dealer`); overdue rows get another (`Hedging`).

    `models` is the number of models of the panel. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        model: Model,
        planner: RowPlanner,
        columns: Columns,
        starvation: Starvation,
        models: int,
        gate: ConnectGate | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._gate = gate or ConnectGate()
        self.lanes: dict[str, Lane[Shipment]] = {}
        self.was_up = asyncio.Event()
        self.retried_rows = 0
        self.hedge_wins = 0  # second tries that were answered before the first
        self._draining = DrainingLanes()
        self._queue = RowQueue()
        self._shadow_rows = ShadowRows()
        self._rotation = Rotation(self._deal)
        self._budget = SecondTryBudget(clock)
        self._hedging = Hedging(
            self._rotation,
            self._budget,
            self.lanes.values,
            starvation.is_starved,
            self._send_again,
            self._draining.lanes,
            clock,
        )
        self._dealer = Dealer(self._queue, models, self._rotation, self._hedging.watch, clock)
        self._planner = planner
        self._columns = columns
        self._starvation = starvation
        self._header: ModelHeader | None = None
        self._sha256: str | None = None
        self._engines: dict[str, str] = {}  # by the address of the replica
        self._plan: RowPlan | None = None  # for `_header` and `_columns`
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def plan(self) -> RowPlan | None:
        """The row plan of the model; None until a replica has described it."""
        return self._plan

    @property
    def messages(self) -> int:
        """The number of messages that the latest rows of a cohort became."""
        return self._dealer.messages

    @property
    def is_up(self) -> bool:
        """Whether a replica is connected."""
        return any(lane.state == "up" for lane in self.lanes.values())

    @property
    def hedged_rows(self) -> int:
        """Rows sent again because their reply was overdue."""
        return self._hedging.hedged_rows

    @property
    def lanes_out(self) -> int:
        """Lanes that are out of rotation."""
        return self._rotation.out

    @property
    def waiting_rows(self) -> int:
        """Rows queued for a replica."""
        return self._queue.rows

    def served(self) -> Counter[tuple[str, str]]:
        """Returns the number of replicas that are up, by SHA-256 of the model and engine. Any thread may call it."""
        up = [lane.address for lane in list(self.lanes.values()) if lane.state == "up"]
        return Counter((self._sha256 or "", self._engines.get(address, "")) for address in up)

    @property
    def outstanding_rows(self) -> int:
        """Rows sent to replicas and not answered."""
        return sum(lane.outstanding_rows for lane in (*list(self.lanes.values()), *self._draining.lanes()))

    @property
    def load(self) -> PoolLoad:
        """The load of the replicas that receive rows, without the rows of shadows."""
        usable = [lane.outstanding_rows for lane in self._rotation.usable(self.lanes.values())]
        rows = max(0, self._queue.rows + sum(usable) - self._shadow_rows.open)
        return PoolLoad(rows, len(usable), self._dealer.row_s)

    def start_vote(
        self, rows: CohortRows, columns: Columns, places: Sequence[Place], deadline_s: float
    ) -> asyncio.Future[MeshError | None]:
        """Queues the rows of `places` for a replica, to be scored by `deadline_s` (monotonic); returns at once.

        The ballots of `places` follow each other in the cohort, and get the scores. The future resolves to None, or to
        the error if the vote failed. It never raises.
        """
        try:
            if self._header is None or not self._has_usable_lane():
                raise Unavailable(self._why_unavailable())
            self._queue.check_room(rows_of(places))
            matrix = rows.matrix(self._plan_for(self._header, columns))
        except MeshError as failure:
            return refused(places, failure)
        vote = ModelVote(places, matrix, self._header.classes, self.model.class_ or 0, deadline_s)
        # The rows of a shadow have no second try: it would take the budget of live rows.
        self._queue.add(Shipment(vote, vote.first, vote.stop, tries=MAX_TRIES if vote.is_shadow else 1))
        self._shadow_rows.add(vote)
        self._deal()
        return vote.done

    def assign(self, addresses: Sequence[str]) -> None:
        """Sets the replicas of the model: opens a lane to each new address, and drains the lanes to the others."""
        for address in self.lanes.keys() - set(addresses):
            lane, _ = self.lanes.pop(address), self._engines.pop(address, None)
            self._dealer.forget(lane)
            self._rotation.forget(lane)
            self._draining.add(lane, self._tasks.pop(address))
        for address in addresses:
            if address not in self.lanes:
                lane = self.lanes[address] = Lane(address, self.model.name, self, self._gate)
                self._tasks[address] = asyncio.create_task(lane.run(), name=f"lane {self.model.name} {address}")
        self._fail_queue_without_lane(Unavailable("its replica is gone"))

    async def close(self) -> None:
        """Closes every lane at once."""
        self._hedging.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._draining.close(), return_exceptions=True)
        self.lanes.clear()
        self._tasks.clear()

    def accept(self, lane: Lane[Shipment], header: ModelHeader, properties: dict[str, str]) -> None:
        """Accepts the model of a replica, and keeps its header, digest and row plan.

        Raises Unavailable if the model differs from that of the other replicas or from the catalog, or if a feature has
        no source; WrongCategories if its categories are in other columns than the catalog says.
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
        if self.model.categories is not None:
            header = with_categories(header, self.model.categories)
        plan = self._planner.plan(header, self._columns)
        if (header, sha256) != (self._header, self._sha256):
            self._fail_votes_of_previous_model(others)
        self._plan = plan
        self._header = header
        self._sha256 = sha256
        self._engines[lane.address] = properties.get("engine", "")

    def on_up(self) -> None:
        """Deals the queued rows."""
        self.was_up.set()
        self._deal()

    def on_down(self, lane: Lane[Shipment], lost: list[Shipment]) -> None:
        """Retries each lost shipment once on another replica; without one, fails the votes."""
        self._rotation.forget(lane)
        failure = Unavailable("its replica was lost")
        for shipment in reversed(lost):  # each goes to the head of the queue, so the oldest must be the last
            self._retry(shipment, failure)
        self._fail_queue_without_lane(failure)
        self._deal()

    def on_reply(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply | MeshError) -> None:
        """Records the votes and deals again; a refused shipment is retried once if there is another lane."""
        if isinstance(reply, ScoreReply):
            if not request.vote.is_shadow:
                self._starvation.report(reply.starved)
            self._learn(lane, request, reply)
            self._cast(request, reply)
        elif isinstance(reply, Expired) or request.vote.is_shadow or not self._has_usable_lane(besides=lane):
            self._fail(request, reply)  # expired rows say nothing against the replica
        else:
            self._rotation.record_failure(lane)
            self._retry(request, reply)
        self._rotation.record_reply(lane)
        self._deal()

    def _learn(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply) -> None:
        if self._rotation.is_late(lane) and self._rotation.in_rotation(self.lanes.values()):
            return  # the time of a replica that is slow alone says nothing about the others
        if reply.predict_s is not None:
            self._dealer.learn(request.rows, reply.predict_s)
        if request.sent_s:
            self._hedging.learn(request)

    def _cast(self, request: Shipment, reply: ScoreReply) -> None:
        request.finish()
        if request.race is not None:
            self.hedge_wins += request.is_second_try and not request.race.has_first_reply
            request.race.has_first_reply |= not request.is_second_try
        request.vote.cast(request.start, request.stop, reply.values)

    def _send_again(self, shipments: Sequence[Shipment]) -> None:
        for shipment in reversed(shipments):
            self._queue.put_back(shipment)
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

    def _fail_votes_of_previous_model(self, lanes: Iterable[Lane[Shipment]]) -> None:
        """Fails the votes whose rows have the layout, or some scores, of the previous model.

        The rows are queued, or outstanding on a lane of `lanes` that is about to report them as lost.
        """
        failure = Unavailable("its model was replaced by another")
        self._queue.fail(failure)
        for lane in lanes:
            for shipment in lane.outstanding():
                shipment.vote.settle(failure)

    def _retry(self, shipment: Shipment, failure: MeshError) -> None:
        may_retry = shipment.race is None and shipment.tries < MAX_TRIES and shipment.is_wanted()
        if may_retry and self._budget.spend(shipment.rows):
            shipment.tries += 1
            self.retried_rows += shipment.rows
            self._queue.put_back(shipment)
        else:
            self._fail(shipment, failure)

    def _fail(self, shipment: Shipment, failure: MeshError) -> None:
        if shipment.finish():  # otherwise, another shipment with these rows decides
            shipment.vote.settle(failure)

    def _why_unavailable(self) -> str:
        reasons = {lane.why_down or "its stream has ended" for lane in self.lanes.values()}
        return f"no replica is up: {'; '.join(sorted(reasons))}" if reasons else "no replica is known"
