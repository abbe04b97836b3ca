"""The generations of a model: which of them gets new rows, and what happens to rows that one cannot score."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from mesh.errors import MeshError, Unavailable
from mesh.players.features import Columns
from supervisor.ballot import ModelVote
from supervisor.generation import Generation, ModelFile, Starvation
from supervisor.generation_choice import choose
from supervisor.lane import Lane
from supervisor.rows import RowPlan, RowPlanner
from supervisor.second_tries import SecondTries, SecondTryBudget
from supervisor.shipment import Shipment

_log = logging.getLogger("supervisor.pool")


class Generations:
    """The generations of the model `name`. New rows go to `in_use` (`choose`), all rows of a cohort to the same one.

    `wanted_sha256` is the file that the catalog wants; None: the newest. `draining` returns the lanes to removed
    replicas that are still open. `models` is the number of models of the panel. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        name: str,
        wanted_sha256: str | None,
        planner: RowPlanner,
        columns: Columns,
        starvation: Starvation,
        models: int,
        draining: Callable[[], Sequence[Lane[Shipment]]],
        clock: Callable[[], float],
    ) -> None:
        self.wanted_sha256 = wanted_sha256
        self.switches = 0  # of the generation in use
        self.tries = SecondTries(SecondTryBudget(clock))
        self._name = name
        self._planner = planner
        self._columns = columns
        self._starvation = starvation
        self._models = models
        self._draining = draining
        self._clock = clock
        self.in_use = self._new(None)
        self._all = [self.in_use]  # in the order in which they came
        self._by_lane: dict[Lane[Shipment], Generation] = {}  # also of draining lanes

    def deal_with(self, models: int) -> None:
        """Sets the number of models that are asked at the same time."""
        self._models = models
        for generation in self._all:
            generation.dealer.models = models

    def __iter__(self) -> Iterator[Generation]:
        return iter(self._all)

    def of(self, lane: Lane[Shipment]) -> Generation | None:
        """Returns the generation of `lane`; None if the lane was never up."""
        return self._by_lane.get(lane)

    def join(self, lane: Lane[Shipment], file: ModelFile) -> None:
        """Adds a lane whose replica serves `file`. Raises Unavailable if the sources cannot fill its features."""
        plan = self._planner.plan(file.header, self._columns)
        generation = next((known for known in self._all if known.file in (None, file)), None) or self._new(file)
        generation.file, generation.plan = file, plan
        is_back = not generation.lanes  # or new; a lane that was lost for a moment is still one of its lanes
        self.leave(lane)
        if is_back:
            self._all = [*(known for known in self._all if known is not generation), generation]
        generation.lanes[lane] = None
        self._by_lane[lane] = generation

    def leave(self, lane: Lane[Shipment]) -> None:
        """Removes a lane that receives no more rows of its generation; rows may be outstanding on it."""
        generation = self._by_lane.get(lane)
        if generation is not None and lane in generation.lanes:
            generation.remove(lane)

    def forget(self, lane: Lane[Shipment]) -> None:
        """Drops the state of a closed lane."""
        self.leave(lane)  # a removed lane whose attempt to connect was under way has joined again
        self._by_lane.pop(lane, None)

    def plan_of(self, generation: Generation, columns: Columns) -> RowPlan:
        """Returns the row plan of a generation for the present columns of the store. Raises Unavailable."""
        if self._columns is not columns:
            self._columns = columns  # if a line below raises, `join` must use the new columns, too
            for known in self._all:
                known.plan = None
        if generation.plan is None:
            generation.plan = self._planner.plan(generation.header, columns)
        return generation.plan

    def review(self, failure: MeshError, *, may_wait: bool) -> None:
        """Chooses the generation in use after a change of the lanes, and sends queued rows.

        Rows of a generation without a lane go to the one in use. If that has no lane either, they wait if `may_wait`,
        or fail with `failure`.
        """
        self._use(choose(self._all, self.in_use, self.wanted_sha256))
        for generation in self._all:
            if generation.queue.rows and not generation.lanes_up:
                self._clear(generation, failure, may_wait=may_wait)
        for generation in self._all:
            generation.deal()
        of_lanes = {*self._by_lane.values(), self.in_use}
        self._all = [generation for generation in self._all if generation in of_lanes]

    def draining_of(self, generation: Generation) -> Sequence[Lane[Shipment]]:
        """Returns the lanes of `generation` to removed replicas that are still open."""
        return [lane for lane in self._draining() if self._by_lane.get(lane) is generation]

    def move(self, origin: Generation, shipment: Shipment, failure: MeshError, sent_rows: int) -> None:
        """Has the generation in use score all rows of the vote of `shipment`, which `origin` cannot complete.

        Fails the vote with `failure` if that is not possible, or if the budget of second tries lacks `sent_rows`.
        """
        if not shipment.finish() or not shipment.is_wanted():
            return
        if self.in_use is origin or not self.in_use.lanes_up or not (not sent_rows or self._pays(sent_rows)):
            shipment.vote.settle(failure)
        else:
            self._restart(shipment.vote, shipment.tries + bool(sent_rows))

    def close(self) -> None:
        """Ends the watch over the shipments."""
        for generation in self._all:
            generation.close()

    def _new(self, file: ModelFile | None) -> Generation:
        generation = Generation(file, self._models, self._starvation, self.tries, self, self._clock)
        if file is not None:
            generation.dealer.row_s = self.in_use.dealer.row_s  # a better guess than the first one
        return generation

    def _use(self, chosen: Generation) -> None:
        if chosen is not self.in_use:
            before, self.in_use = self.in_use, chosen
            self.switches += 1
            _log.info(
                "%s: new rows go to model file %s (replicas: %d), no longer to %s (%d)",
                self._name,
                chosen.file,
                chosen.lanes_up,
                before.file,
                before.lanes_up,
            )

    def _clear(self, generation: Generation, failure: MeshError, *, may_wait: bool) -> None:
        """Empties the queue of a generation without a lane, unless its rows may wait."""
        if generation is self.in_use and may_wait:
            return
        for shipment in generation.queue.empty():
            self.move(generation, shipment, failure, shipment.vote.rows - shipment.rows)

    def _pays(self, rows: int) -> bool:
        return self.tries.budget.spend(rows)

    def _restart(self, vote: ModelVote, tries: int) -> None:
        """Queues all rows of `vote` for the generation in use, in the layout of its file."""
        target = self.in_use
        try:
            if vote.cohort is None:
                raise Unavailable("its model was replaced by another")
            target.queue.check_room(vote.rows)
            # The store may have other columns now than when the cohort was read.
            plan = self._planner.plan(target.header, vote.cohort.columns)
            matrix = vote.cohort.matrix(plan)
        except MeshError as failure:
            vote.settle(failure)
            return
        target.add(vote.restart(matrix, plan, target.header.classes, target.sha256), tries)
        target.deal()
