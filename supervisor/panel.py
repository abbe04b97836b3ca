"""The panel: every model of a version, asked at once; each model's rows wait for a free replica, in order."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.catalog import Model
from mesh.catalog_files import class_fault
from mesh.errors import Expired, MeshError, Overloaded, Unavailable
from mesh.model_file import ModelHeader
from mesh.player_features import Columns
from supervisor.lane import Lane, Scores
from supervisor.rows import CohortRows, RowMatrix, RowPlan, RowPlanner

# A replica gets rows only while less than this is outstanding with it (late binding): enough to keep it busy over
# a message's way, too little to queue behind a slow row while another replica is free.
DEPTH_S = 0.004
# The most work in one message where other replicas or later cohorts could use the time.
GRAIN_S = 0.008
MAX_WAITING_ROWS = 20_000
FIRST_GUESS_ROW_S = 0.0005
LEARNING_WEIGHT = 0.2
MAX_TRIES = 2


@dataclass(frozen=True, slots=True)
class Vote:
    """A model scored every row of the cohort."""

    model: str


@dataclass(frozen=True, slots=True)
class Absence:
    """A model did not score every row of the cohort, and why."""

    model: str
    reason: str


Reply = Vote | Absence


class Ballot:
    """The votes of a cohort as they come in: `votes` [models, rows], NaN where there is none (yet)."""

    def __init__(self, models: Sequence[str], rows: int, quorum: int, on_quorum: Callable[[], None]) -> None:
        self.votes: NDArray[np.float64] = np.full((len(models), rows), np.nan)
        self.reasons: list[str | None] = [None] * len(models)
        self.last_model = ""
        self._quorum = quorum
        self._on_quorum = on_quorum
        self._arrived = 0
        self._legs: list[Leg] = []

    def enter(self, leg: Leg) -> None:
        """Takes note of a leg, so that `close` ends it."""
        self._legs.append(leg)

    def count(self, model: str) -> None:
        """A model's votes are complete."""
        self.last_model = model
        self._arrived += 1
        if self._arrived == self._quorum:
            self._on_quorum()

    def close(self) -> None:
        """Ends every leg that is still out: nobody waits for its votes any more."""
        for leg in self._legs:
            leg.settle(Expired("no vote in time"))


class Leg:
    """One model's part in one cohort's journey; done when every row has its vote, or with the reason why not."""

    def __init__(self, matrix: RowMatrix, votes: NDArray[np.float64], column: int | None, deadline_s: float) -> None:
        self.matrix = matrix
        self.deadline_s = deadline_s
        self.done: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
        self._votes = votes
        self._column = column
        self._left = len(votes)

    def cast(self, start: int, stop: int, scores: Scores) -> None:
        """Writes the votes of some rows down."""
        outputs = len(scores.values) // (stop - start)
        if outputs != 1 and self._column is None:
            return self.settle(Unavailable(f"the replica sent {outputs} scores a row, and the catalog names no class"))
        self._votes[start:stop] = scores.values if outputs == 1 else scores.values[self._column :: outputs]
        self._left -= stop - start
        if not self._left:
            self.settle(Unavailable("a score is NaN") if np.isnan(self._votes).any() else None)
        return None

    def settle(self, failure: MeshError | None) -> None:
        """Ends the leg; a second time is a no-op."""
        if not self.done.done():
            self.done.set_result(failure)


@dataclass(slots=True)
class Shipment:
    """Some rows of a leg, on their way to a replica or waiting for one."""

    leg: Leg
    start: int
    stop: int
    tries: int = 1

    @property
    def rows(self) -> int:
        """How many rows it carries."""
        return self.stop - self.start

    def tensor(self) -> bytes:
        """The encoded rows."""
        return self.leg.matrix.tensor(self.start, self.stop)

    def budget_s(self) -> float:
        """The time that is left for an answer."""
        return self.leg.deadline_s - time.monotonic()

    def is_wanted(self) -> bool:
        """Whether anybody still waits for its votes."""
        return not self.leg.done.done()

    def split(self, rows: int) -> Shipment:
        """Cuts off the first `rows` and keeps the rest."""
        first = Shipment(self.leg, self.start, self.start + rows, self.tries)
        self.start += rows
        return first


class ModelPool:
    """The replicas of one model, and the rows that wait for them.

    Rows are bound to a replica as late as possible: when its outstanding work is nearly done.
    """

    def __init__(
        self, model: Model, planner: RowPlanner, columns: Columns, on_starved: Callable[[float], None]
    ) -> None:
        self.model = model
        self.lanes: dict[str, Lane] = {}
        self.waiting_rows = 0
        self._waiting: deque[Shipment] = deque()
        self._planner = planner
        self._columns = columns
        self._on_starved = on_starved
        self._row_s = FIRST_GUESS_ROW_S
        self._header: ModelHeader | None = None
        self._plan: tuple[Columns, RowPlan] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def outstanding_rows(self) -> int:
        """Rows that replicas are working on."""
        return sum(lane.outstanding_rows for lane in self.lanes.values())

    async def score(self, rows: CohortRows, columns: Columns, ballot: Ballot, index: int, deadline_s: float) -> None:
        """Has every row scored into `ballot.votes[index]`; raises MeshError when that cannot be, or not in time."""
        if not any(lane.state == "up" for lane in self.lanes.values()):
            raise Unavailable(self._why_none_is_up())
        leg = Leg(rows.matrix(self._planned(columns)), ballot.votes[index], self.model.class_, deadline_s)
        ballot.enter(leg)
        self._admit(Shipment(leg, 0, len(ballot.votes[index])))
        failure = await leg.done
        if failure is not None:
            raise failure

    def assign(self, addresses: Sequence[str]) -> None:
        """Makes these the model's replicas: opens lanes to new ones, closes the lanes to those that are gone."""
        for address in self.lanes.keys() - set(addresses):
            self._tasks.pop(address).cancel()
            del self.lanes[address]
        for address in addresses:
            if address not in self.lanes:
                lane = self.lanes[address] = Lane(address, self.model.name, self)
                self._tasks[address] = asyncio.create_task(lane.run(), name=f"lane {self.model.name} {address}")

    async def close(self) -> None:
        """Closes every lane."""
        tasks = list(self._tasks.values())
        self.assign(())
        await asyncio.gather(*tasks, return_exceptions=True)

    def accept(self, lane: Lane, header: ModelHeader, properties: dict[str, str]) -> None:
        """Refuses a replica that serves another model than its sisters, than published, or than can be fed."""
        sisters = any(other.state == "up" for other in self.lanes.values() if other is not lane)
        if sisters and header != self._header:
            raise Unavailable("it serves another model file than its sisters")
        if self.model.sha256 is not None and properties.get("sha256", self.model.sha256) != self.model.sha256:
            raise Unavailable("the sha256 of its model is not the catalog's")
        fault = class_fault(self.model, header)
        if fault is not None:
            raise Unavailable("class " + fault[0])
        self._plan = (self._columns, self._planner.plan(header, self._columns))
        self._header = header

    def on_up(self) -> None:
        """Gives the lane what waits."""
        self._dispatch()

    def on_down(self, lost: list[Any]) -> None:
        """Sends what was lost with the lane to another replica, once; if none is up, those votes are absent."""
        up = any(other.state == "up" for other in self.lanes.values())
        for shipment in reversed(lost):
            self._retry(shipment, Unavailable("its replica was lost"), up)
        if not up:
            self._fail_waiting()
        self._dispatch()

    def on_reply(self, shipment: Any, reply: Scores | MeshError) -> None:
        """Writes votes down and gives the lane more to do."""
        if isinstance(reply, MeshError):
            self._retry(shipment, reply, len(self.lanes) > 1)
        else:
            self._on_starved(reply.starved)
            if reply.predict_s is not None:
                self._row_s += LEARNING_WEIGHT * (reply.predict_s / shipment.rows - self._row_s)
            if shipment.is_wanted():
                shipment.leg.cast(shipment.start, shipment.stop, reply)
        self._dispatch()

    def _planned(self, columns: Columns) -> RowPlan:
        if self._plan is None or self._plan[0] is not columns:
            if self._header is None:
                raise Unavailable("it has not told its features yet")
            self._columns = columns
            self._plan = (columns, self._planner.plan(self._header, columns))
        return self._plan[1]

    def _admit(self, shipment: Shipment) -> None:
        if self.waiting_rows + shipment.rows > MAX_WAITING_ROWS:
            self._drop_unwanted()
        if self.waiting_rows + shipment.rows > MAX_WAITING_ROWS:
            raise Overloaded(f"{self.waiting_rows} rows wait for a replica")
        self._waiting.append(shipment)
        self.waiting_rows += shipment.rows
        self._dispatch()

    def _dispatch(self) -> None:
        while self._waiting:
            if not self._waiting[0].is_wanted():
                self.waiting_rows -= self._waiting.popleft().rows
                continue
            free = [lane for lane in self.lanes.values() if self._is_free(lane)]
            if not free:
                return
            lane = min(free, key=lambda lane: lane.outstanding_rows)
            share = math.ceil(self.waiting_rows / len(free))
            self._ship(lane, min(share, max(1, int(GRAIN_S / self._row_s))))

    def _is_free(self, lane: Lane) -> bool:
        return lane.state == "up" and lane.outstanding_rows * self._row_s < DEPTH_S

    def _ship(self, lane: Lane, rows: int) -> None:
        head = self._waiting[0]
        shipment = head.split(rows) if rows < head.rows else self._waiting.popleft()
        self.waiting_rows -= shipment.rows
        lane.send(shipment)

    def _retry(self, shipment: Shipment, failure: MeshError, elsewhere: bool) -> None:
        if elsewhere and shipment.tries < MAX_TRIES and shipment.is_wanted():
            shipment.tries += 1
            self._waiting.appendleft(shipment)
            self.waiting_rows += shipment.rows
        else:
            shipment.leg.settle(failure)

    def _fail_waiting(self) -> None:
        for shipment in self._waiting:
            shipment.leg.settle(Unavailable("its replica was lost"))
        self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        self._waiting = deque(shipment for shipment in self._waiting if shipment.is_wanted())
        self.waiting_rows = sum(shipment.rows for shipment in self._waiting)

    def _why_none_is_up(self) -> str:
        reasons = {lane.why_down for lane in self.lanes.values()}
        return f"no replica is up: {'; '.join(sorted(reasons))}" if reasons else "no replica is known"


@dataclass(frozen=True, slots=True)
class Panel:
    """The models of one version, in catalog order."""

    pools: tuple[ModelPool, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(pool.model.name for pool in self.pools)

    def lanes(self) -> Iterator[tuple[str, Lane]]:
        """Every lane, with its model's name."""
        for pool in self.pools:
            for lane in pool.lanes.values():
                yield pool.model.name, lane


async def ask_panel(panel: Panel, rows: CohortRows, columns: Columns, ballot: Ballot, deadline_s: float) -> list[Reply]:
    """Asks every model of `panel` to score `rows` into `ballot` by `deadline_s` (monotonic).

    One reply per model, in panel order: a slow or failing model loses its own vote and costs no neighbour theirs.
    Raises nothing but bugs.
    """
    return await asyncio.gather(
        *(_ask(pool, rows, columns, ballot, index, deadline_s) for index, pool in enumerate(panel.pools))
    )


async def _ask(
    pool: ModelPool, rows: CohortRows, columns: Columns, ballot: Ballot, index: int, deadline_s: float
) -> Reply:
    try:
        await pool.score(rows, columns, ballot, index, deadline_s)
    except MeshError as error:
        ballot.reasons[index] = error.reason
        return Absence(pool.model.name, error.reason)
    ballot.count(pool.model.name)
    return Vote(pool.model.name)
