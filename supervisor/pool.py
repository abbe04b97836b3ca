"""The replicas of one model: their lanes, the files that they serve, and the votes that they return."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from mesh.catalog.files import class_fault
from mesh.catalog.version import Model
from mesh.errors import MeshError, Unavailable
from mesh.model_file import ModelHeader, with_categories
from mesh.players.features import Columns
from supervisor.backlog import PoolLoad
from supervisor.ballot import ModelVote, Place, refused, rows_of
from supervisor.connect_gate import ConnectGate
from supervisor.draining_lanes import DrainingLanes
from supervisor.generation import ModelFile, Starvation
from supervisor.generations import Generations
from supervisor.lane import Lane
from supervisor.lane_channels import LaneChannels
from supervisor.lane_reply import ScoreReply
from supervisor.rows import CohortRows, RowPlan, RowPlanner
from supervisor.shipment import Shipment
from supervisor.successors import Successors


class ModelPool:
    """The replicas of one model, in a generation for each model file that they serve.

    New rows go to the generation that `choose` returns, all rows of a cohort to the same one. `models` is the number of
    models of the panel. `clock` is monotonic, in seconds. `channels` opens the channels of the lanes.
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
        channels: LaneChannels | None = None,
    ) -> None:
        self.model = model
        self.planner = planner
        self.lanes: dict[str, Lane[Shipment]] = {}
        self.was_up = asyncio.Event()
        self._gate = gate or ConnectGate()
        self._channels = channels
        self._engines: dict[str, str] = {}  # by the address of the replica
        self._draining = DrainingLanes(lambda lane: self._generations.forget(lane))
        self._generations = Generations(
            model.name, model.sha256, planner, columns, starvation, models, self._draining.lanes, clock
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._successors = Successors(self._new_lane)

    @property
    def plan(self) -> RowPlan | None:
        """The row plan of the model file in use; None until a replica has described it."""
        return self._generations.in_use.plan

    @property
    def messages(self) -> int:
        """The number of messages that the latest rows of a cohort became."""
        return self._generations.in_use.dealer.messages

    @property
    def is_up(self) -> bool:
        """Whether a replica is connected."""
        return any(lane.state == "up" for lane in self.lanes.values())

    @property
    def retried_rows(self) -> int:
        """Rows sent again because their replica was lost or refused them."""
        return self._generations.tries.failed_rows

    @property
    def hedged_rows(self) -> int:
        """Rows sent again because their reply was overdue."""
        return self._generations.tries.overdue_rows

    @property
    def hedge_wins(self) -> int:
        """Second tries that were answered before the first."""
        return self._generations.tries.wins

    @property
    def lanes_out(self) -> int:
        """Lanes that are out of rotation."""
        return sum(generation.rotation.out for generation in self._generations)

    @property
    def lanes_stale(self) -> int:
        """Lanes that are up with an earlier certificate. Any thread may read it."""
        return sum(lane.is_stale for lane in list(self.lanes.values()))

    @property
    def waiting_rows(self) -> int:
        """Rows queued for a replica."""
        return sum(generation.queue.rows for generation in self._generations)

    def deal_with(self, models: int) -> None:
        """Sets the number of models that are asked at the same time."""
        self._generations.deal_with(models)

    def served(self) -> Counter[tuple[str, str]]:
        """Returns the number of replicas that are up, by SHA-256 of the model and engine. Any thread may call it."""
        up = [lane for lane in list(self.lanes.values()) if lane.state == "up"]
        found = [(self._generations.of(lane), self._engines.get(lane.address, "")) for lane in up]
        return Counter((generation.sha256, engine) for generation, engine in found if generation is not None)

    @property
    def switches(self) -> int:
        """How many times new rows went to another model file than before."""
        return self._generations.switches

    def is_in_use(self, sha256: str) -> bool:
        """Returns whether new rows go to the replicas with the file of that SHA-256."""
        return self._generations.in_use.sha256 == sha256

    @property
    def outstanding_rows(self) -> int:
        """Rows sent to replicas and not answered."""
        return sum(lane.outstanding_rows for lane in (*list(self.lanes.values()), *self._draining.lanes()))

    @property
    def load(self) -> PoolLoad:
        """The load of the replicas that receive new rows."""
        return self._generations.in_use.load

    def start_vote(
        self, rows: CohortRows, columns: Columns, places: Sequence[Place], deadline_s: float
    ) -> asyncio.Future[MeshError | None]:
        """Queues the rows of `places` for a replica, to be scored by `deadline_s` (monotonic); returns at once.

        The ballots of `places` follow each other in the cohort, and get the scores. The future resolves to None, or to
        the error if the vote failed. It never raises.
        """
        generation = self._generations.in_use
        for ballot, model in places:
            ballot.files[model], ballot.plans[model] = generation.sha256, generation.plan
        try:
            if generation.file is None or not self._has_usable_lane():
                raise Unavailable(self._why_unavailable())
            generation.queue.check_room(rows_of(places))
            plan = self._generations.plan_of(generation, columns)
            matrix = rows.matrix(plan)
        except MeshError as failure:
            return refused(places, failure)
        for ballot, model in places:
            ballot.plans[model] = plan
        class_index = self.model.class_ or 0
        vote = ModelVote(places, matrix, generation.file.header.classes, class_index, deadline_s, rows)
        generation.add(vote)
        generation.deal()
        return vote.done

    def assign(self, addresses: Sequence[str]) -> None:
        """Sets the replicas of the model: opens a lane to each new address, and drains the lanes to the others."""
        for address in self.lanes.keys() - set(addresses):
            lane, _ = self.lanes.pop(address), self._engines.pop(address, None)
            self._drop_successor(address)
            self._generations.leave(lane)
            self._draining.add(lane, self._tasks.pop(address))
        for address in addresses:
            if address not in self.lanes:
                lane = self.lanes[address] = self._new_lane(address)
                self._tasks[address] = asyncio.create_task(lane.run(), name=f"lane {self.model.name} {address}")
        self._review(Unavailable("its replica is gone"))

    def renew(self) -> None:
        """Replaces the lanes that are up with an earlier certificate, each when its successor is up."""
        for lane in self.lanes.values():
            if lane.is_stale:
                self._successors.begin(lane.address)

    async def close(self) -> None:
        """Closes every lane at once."""
        self._generations.close()
        tasks = [*self._tasks.values(), *self._successors.drop_all()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._draining.close(), return_exceptions=True)
        self.lanes.clear()
        self._tasks.clear()

    def accept(self, lane: Lane[Shipment], header: ModelHeader, properties: dict[str, str]) -> None:
        """Accepts the model file of a replica: a file that others serve already, or another one.

        Raises Unavailable if the class of the catalog does not fit the file, or if a feature has no source;
        WrongCategories if its categories are in other columns than the catalog says.
        """
        fault = class_fault(self.model, header)
        if fault is not None:
            raise Unavailable("class " + fault[0])
        if self.model.categories is not None:
            header = with_categories(header, self.model.categories)
        self._generations.join(lane, ModelFile(header, properties.get("sha256")))
        self._engines[lane.address] = properties.get("engine", "")

    def on_up(self, lane: Lane[Shipment]) -> None:
        """Deals the queued rows. A successor takes the place of its lane, which drains."""
        running = self._successors.take(lane)
        if running is not None:
            before, self.lanes[lane.address] = self.lanes[lane.address], lane
            self._generations.leave(before)
            self._draining.add(before, self._tasks[lane.address])
            self._tasks[lane.address] = running
        if lane.is_stale and self.lanes.get(lane.address) is lane:  # the certificate changed while it connected
            self._successors.begin(lane.address)
        self.was_up.set()
        self._review(Unavailable("its model was replaced by another"))

    def on_down(self, lane: Lane[Shipment], lost: list[Shipment]) -> None:
        """Retries each lost shipment once on another replica; without one, fails the votes."""
        failure = Unavailable("its replica was lost")
        if self.lanes.get(lane.address) is lane:  # its next connection has the new certificate, too
            self._drop_successor(lane.address)
        generation = self._generations.of(lane)
        if generation is not None:
            generation.on_down(lane, lost, failure)
        self._review(failure)

    def on_reply(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply | MeshError) -> None:
        """Has the generation of the replica record the votes."""
        generation = self._generations.of(lane)
        if generation is not None:
            generation.on_reply(lane, request, reply)

    def _new_lane(self, address: str) -> Lane[Shipment]:
        return Lane(address, self.model.name, self, self._gate, channels=self._channels)

    def _drop_successor(self, address: str) -> None:
        dropped = self._successors.drop(address)
        if dropped is not None:
            self._draining.add(*dropped)

    def _review(self, failure: MeshError) -> None:
        self._generations.review(failure, may_wait=self._has_usable_lane())

    def _has_usable_lane(self) -> bool:
        """Whether a lane is up, or makes its first attempt to connect: rows may wait for it.

        A lane that has failed is down until it is up again.
        """
        return any(lane.state != "down" for lane in self.lanes.values())

    def _why_unavailable(self) -> str:
        reasons = {lane.why_down or "its stream has ended" for lane in self.lanes.values()}
        return f"no replica is up: {'; '.join(sorted(reasons))}" if reasons else "no replica is known"
