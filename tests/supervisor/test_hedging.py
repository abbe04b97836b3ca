"""Second tries of overdue rows, with replicas in virtual time."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable

import numpy as np
import pytest

from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.errors import MeshError
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor.ballot import Ballot, Place
from supervisor.pool import ModelPool
from supervisor.reply_delay import FLOOR_S as OVERDUE_FLOOR_S
from supervisor.rotation import LONGEST_PAUSE_S
from supervisor.rows import CohortRows, Passenger, RowPlanner
from supervisor.second_tries import BURST_S, FLOOR_S, MIN_BURST_ROWS, SHARE
from tests.supervisor.fake_starvation import FakeStarvation
from tests.supervisor.simulated_replicas import Sending, SimulatedLane
from tests.supervisor.virtual_time import in_virtual_time, now_s, run

COLUMNS = Columns(("level",), ())
HEADER = ModelHeader(("level",), {}, "binary", 1, 1)
DEADLINE_S = 0.3
SEEDS = 1000


class Request:
    """Rows with levels `first`, `first` + 1, ..., to be scored within `DEADLINE_S`."""

    def __init__(self, pool: ModelPool, rows: int, first: int) -> None:
        players = [PlayerFeatures(struct.pack("<d", first + row), (), 0.0) for row in range(rows)]
        self.expected = [float(first + row) for row in range(rows)]
        self.settled = 0
        self.ballot = Ballot(["m"], rows, 1, self._count)
        self.deadline_s = now_s() + DEADLINE_S
        self.settled_s = float("inf")
        matrix = CohortRows(COLUMNS, players, [Passenger({}, ())] * rows)
        self.vote = pool.start_vote(matrix, COLUMNS, [Place(self.ballot, 0)], self.deadline_s)
        self.vote.add_done_callback(self._on_settled)
        asyncio.get_running_loop().call_later(DEADLINE_S, self.ballot.close)

    def _count(self) -> None:
        self.settled += 1

    def _on_settled(self, _: asyncio.Future[MeshError | None]) -> None:
        self.settled_s = now_s()

    @property
    def is_whole(self) -> bool:
        return self.vote.result() is None

    def check(self) -> None:
        """The request was answered once, correctly, and by its deadline."""
        assert self.settled == int(self.is_whole)
        assert self.settled_s <= self.deadline_s + 0.001
        if self.is_whole:
            assert self.ballot.votes[0].tolist() == self.expected


class World:
    """A pool with replicas in virtual time."""

    def __init__(self, replicas: int, row_s: float = 0.0005, is_starved: bool = False) -> None:
        planner = RowPlanner(Sources(COLUMNS, {}, None))
        model = Model(name="m", uri="m.txt")
        self.pool = ModelPool(model, planner, COLUMNS, FakeStarvation(is_starved), 1, clock=now_s)
        self.pool._generations.in_use.dealer.row_s = self.row_s = row_s
        self.sendings: list[Sending] = []
        self.lanes = [SimulatedLane(self.pool, str(i), HEADER, row_s, self.sendings) for i in range(replicas)]
        self.requests: list[Request] = []
        self.began_s = now_s()

    def ask(self, rows: int) -> Request:
        request = Request(self.pool, rows, 1000 * len(self.requests))
        self.requests.append(request)
        return request

    async def ask_at_rate(self, per_s: float, seconds: float, rows: int = 4) -> None:
        for _ in range(round(per_s * seconds)):
            self.ask(rows)
            await asyncio.sleep(1 / per_s)

    async def finish(self) -> None:
        """Waits until every request is settled."""
        await asyncio.sleep(DEADLINE_S + 0.01)
        for lane in self.lanes:
            lane.thaw()
        self.pool._generations.close()

    def check(self) -> None:
        """What must hold whatever the replicas do."""
        for request in self.requests:
            request.check()
        assert not [sent for sent in self.sendings if sent.was_out and sent.was_other_in]
        first = sum(sent.rows for sent in self.sendings if not sent.is_second_try)
        largest = max((sent.rows for sent in self.sendings), default=0)
        floor = largest * (1 + (now_s() - self.began_s) / FLOOR_S)
        assert self.second_tries <= max(MIN_BURST_ROWS, BURST_S / self.row_s) + SHARE * first + floor

    @property
    def second_tries(self) -> int:
        """Rows that were sent again."""
        return sum(sent.rows for sent in self.sendings if sent.is_second_try)

    @property
    def partial(self) -> int:
        return sum(not request.is_whole for request in self.requests)


@in_virtual_time
async def test_overdue_rows_are_scored_by_another_replica() -> None:
    world = World(2)
    world.lanes[0].freeze()
    began_s = now_s()
    requests = [world.ask(2), world.ask(2)]
    await asyncio.gather(*(request.vote for request in requests))
    assert now_s() - began_s < 2 * OVERDUE_FLOOR_S
    assert (world.pool.hedged_rows, world.pool.hedge_wins, world.pool.lanes_out) == (2, 2, 1)
    await world.finish()
    assert world.partial == 0
    world.check()


@in_virtual_time
async def test_rows_that_are_due_before_earlier_ones_are_sent_again_in_time() -> None:
    world = World(2)
    world.pool._generations.in_use.dealer.row_s = 0.1  # as learned in a slow moment
    await world.ask(1).vote
    world.pool._generations.in_use.dealer.row_s = world.row_s
    for lane in world.lanes:
        lane.freeze()
    requests = [world.ask(1), world.ask(1)]
    world.lanes[1].thaw()
    began_s = now_s()
    await asyncio.gather(*(request.vote for request in requests))
    assert now_s() - began_s < 2 * OVERDUE_FLOOR_S
    await world.finish()
    world.check()


@in_virtual_time
async def test_frozen_replica_gets_no_rows_until_it_answers_and_is_soon_back() -> None:
    world = World(2)
    frozen, other = world.lanes
    await world.ask_at_rate(50, 1)
    frozen.freeze()
    await world.ask_at_rate(50, 2)
    held = len(frozen.received)
    await world.ask_at_rate(50, 2)
    assert len(frozen.received) == held <= 2
    frozen.thaw()
    await asyncio.sleep(LONGEST_PAUSE_S)
    assert world.pool.lanes_out == 0
    world.sendings.clear()
    scored = len(frozen.received), len(other.received)
    await world.ask_at_rate(50, 1)
    assert scored == (0, 0)
    await world.finish()
    assert world.partial == 0


@in_virtual_time
async def test_slow_replica_costs_few_second_tries_and_no_vote() -> None:
    world = World(2, row_s=0.002)
    world.lanes[0].slowness = 10.0
    await world.ask_at_rate(30, 20)
    await world.finish()
    assert world.partial == 0
    world.check()


@in_virtual_time
async def test_first_reply_counts_and_the_second_changes_nothing() -> None:
    world = World(2)
    world.lanes[0].slowness = 100.0
    request = world.ask(1)
    await asyncio.sleep(0.2)
    assert world.pool.hedge_wins == 1
    assert not any(lane.received for lane in world.lanes)  # both have replied
    await world.finish()
    assert request.is_whole
    world.check()


@in_virtual_time
async def test_no_second_try_if_every_replica_is_slow() -> None:
    world = World(2)
    for lane in world.lanes:
        lane.slowness = 200.0
    requests = [world.ask(1), world.ask(1)]
    await world.finish()
    assert world.second_tries == 0
    assert all(request.is_whole for request in requests)


@pytest.mark.parametrize("is_busy", [True, False])
@in_virtual_time
async def test_on_a_starved_machine_only_an_idle_replica_gets_second_tries(is_busy: bool) -> None:
    world = World(2, is_starved=True)
    slow, other = world.lanes
    slow.slowness = 200.0
    request = world.ask(1)
    other.outstanding_rows = int(is_busy)
    await world.finish()
    assert world.second_tries == int(not is_busy)
    assert request.is_whole


@in_virtual_time
async def test_shipments_behind_an_overdue_one_are_sent_again_at_once() -> None:
    world = World(2)
    for lane in world.lanes:
        lane.freeze()
    for _ in world.lanes:
        world.ask(1)
    await asyncio.sleep(OVERDUE_FLOOR_S / 2)
    late = [world.ask(1), world.ask(1)]
    world.lanes[1].thaw()
    await asyncio.sleep(OVERDUE_FLOOR_S)
    assert all(request.is_whole for request in late)
    await world.finish()
    world.check()


@in_virtual_time
async def test_failure_of_one_of_two_tries_does_not_fail_the_vote() -> None:
    world = World(2)
    slow, failing = world.lanes
    slow.slowness, failing.is_failing = 100.0, True
    failing.freeze()  # so that the first try goes to the other
    world.pool._generations.in_use.rotation.record_overdue(failing.lane)
    request = world.ask(1)
    world.pool._generations.in_use.rotation.forget(failing.lane)
    failing.thaw()
    await world.finish()
    assert world.pool.hedged_rows == 1
    assert request.is_whole
    world.check()


@in_virtual_time
async def test_failure_of_both_tries_fails_the_vote_at_once() -> None:
    world = World(2)
    for lane in world.lanes:
        lane.is_failing = True
    world.lanes[0].slowness = 100.0
    request = world.ask(1)
    failure = await request.vote
    assert failure is not None
    assert failure.reason == "broken"
    assert now_s() < request.deadline_s
    await world.finish()
    world.check()


@in_virtual_time
async def test_blocked_event_loop_is_not_taken_for_late_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(2)
    world.lanes[0].freeze()
    world.ask(1)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.001)
    monkeypatch.setattr(loop, "now_s", now_s() + 0.1)  # as if a callback had taken this long
    world.lanes[0].thaw()
    await asyncio.sleep(0.005)
    await world.finish()
    assert world.second_tries == 0
    assert world.pool.lanes_out == 0
    world.check()


Fault = Callable[[SimulatedLane], None]


def _slow_down(lane: SimulatedLane) -> None:
    lane.slowness = 10.0


def _fail(lane: SimulatedLane) -> None:
    lane.is_failing = True


def _heal(lane: SimulatedLane) -> None:
    lane.slowness, lane.is_failing = 1.0, False
    lane.thaw()
    if lane.state == "down":
        lane.recover()


def _break(lane: SimulatedLane) -> None:
    if lane.state == "up":
        lane.break_down()


FAULTS: list[Fault] = [SimulatedLane.freeze, _slow_down, _fail, _break]


async def _random_life(seed: int) -> World:
    """Two seconds of random load on replicas with random faults."""
    draw = random.Random(seed)
    world = World(draw.randint(1, 5), row_s=draw.choice([0.0001, 0.001, 0.01]))
    rate = draw.uniform(10, 80)
    end_s = now_s() + 2
    while now_s() < end_s:
        world.ask(draw.randint(1, 20))
        if draw.random() < 0.06:
            draw.choice(FAULTS)(draw.choice(world.lanes))
        if draw.random() < 0.06:
            _heal(draw.choice(world.lanes))
        await asyncio.sleep(draw.expovariate(rate))
    await world.finish()
    return world


@pytest.mark.parametrize("part", range(10))
def test_invariants_hold_for_random_faults(part: int) -> None:
    for seed in range(part * SEEDS // 10, (part + 1) * SEEDS // 10):
        run(_checked(seed))


async def _checked(seed: int) -> None:
    try:
        (await _random_life(seed)).check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}") from error


async def _one_frozen(seed: int) -> tuple[int, int]:
    """Requests, and those that are not whole, while one of several replicas is frozen for a second."""
    draw = random.Random(seed)
    world = World(draw.randint(2, 6), row_s=0.0002)
    await world.ask_at_rate(50, 1)
    frozen = draw.choice(world.lanes)
    await asyncio.sleep(draw.random() / 50)
    frozen.freeze()
    await world.ask_at_rate(50, 1)
    frozen.thaw()
    await world.ask_at_rate(50, 1)
    await world.finish()
    return len(world.requests), world.partial


def test_frozen_replica_costs_no_vote() -> None:
    counts = np.array([run(_one_frozen(seed)) for seed in range(50)])
    assert counts[:, 0].sum() == 50 * 150
    assert counts[:, 1].sum() == 0
