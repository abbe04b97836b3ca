"""The work of shadows in virtual time: never before live rows, bounded, and in no account of live rows."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest

from mesh.catalog.sources import Sources
from mesh.catalog.version import Model, Version
from mesh.dealing import MESSAGE_CPU_S
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor.ballot import Ballot, Place
from supervisor.panel import Panel
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows, Passenger, RowPlanner
from supervisor.shadow import runner
from supervisor.shadow import sample as samples
from supervisor.shadow.metrics import SHADOW, Outcome, PairMetrics
from supervisor.shadow.runner import ASKING_S, GATHER_S, WORK_S, ShadowRunner
from supervisor.shadow.sample import MAX_AGE_S, MAX_SAMPLES, Sample, SampleQueue
from supervisor.shadow.spare_cpu import WORK_SHARE, SpareCpu
from supervisor.shadow.target import Pair, ShadowTarget
from tests.supervisor.fake_starvation import FakeStarvation
from tests.supervisor.simulated_replicas import Sending, SimulatedLane
from tests.supervisor.virtual_time import in_virtual_time, now_s, run

COLUMNS = Columns(("level",), ())
HEADER = ModelHeader(("level",), {}, "binary", 1, 1)
ROW_S = 0.0005
SEEDS = 60


@dataclass
class Machine:
    """The state of live work, and of the CPU, as a test sets it."""

    departures: int = 0
    under_way: int = 0
    waiting_count: int = 0
    starved: float = 1.0

    def share(self) -> float:
        return self.starved


class CountingStarvation(FakeStarvation):
    reports = 0

    def report(self, share: float) -> None:
        del share
        self.reports += 1


class World:
    """A shadow of `models` models, each with `replicas` replicas in virtual time."""

    def __init__(self, models: int = 2, replicas: int = 1) -> None:
        planner = RowPlanner(Sources(COLUMNS, {}, None))
        named = [Model(name=f"m{number}", uri="m.txt") for number in range(models)]
        self.starvation = CountingStarvation()
        self.pools = [ModelPool(model, planner, COLUMNS, self.starvation, models, clock=now_s) for model in named]
        self.sendings: list[Sending] = []
        self.lanes = [
            [SimulatedLane(pool, str(number), HEADER, ROW_S, self.sendings) for number in range(replicas)]
            for pool in self.pools
        ]
        for pool in self.pools:
            pool._generations.in_use.dealer.row_s = ROW_S
        version = Version(traffic=0, shadow=100, models=tuple(named))
        self.metrics = PairMetrics()
        panel = Panel(tuple(self.pools))
        self.target = ShadowTarget("g", "v2", 100, panel, version, None, panel)
        self.pair = Pair(self.target, self.metrics)
        self.machine = Machine()
        self.queue = SampleQueue(now_s)
        self.spare = SpareCpu(self.machine, self.machine, now_s)
        self.in_force = True
        self.runner = ShadowRunner(self.queue, self.spare, lambda _: self.in_force, now_s)

    def sample(self, level: float = 1.0) -> None:
        """Offers a request that was answered with the score `level` + 1."""
        if self.queue.is_full:
            self.metrics.count(Outcome.QUEUE_FULL)
            return
        player = PlayerFeatures(struct.pack("<d", level), (), 0.0)
        scores = np.array([level + 1])
        self.queue.add(Sample(self.pair, COLUMNS, player, Passenger({}, ()), scores, True, False, 0.01, now_s()))

    def live_vote(self, rows: int, model: int = 0) -> tuple[asyncio.Future[object], Ballot]:
        """Asks a model to score live rows."""
        players = [PlayerFeatures(struct.pack("<d", 1.0), (), 0.0)] * rows
        ballot = Ballot(["m"], rows, 1, lambda: None)
        cohort = CohortRows(COLUMNS, players, [Passenger({}, ())] * rows)
        vote = self.pools[model].start_vote(cohort, COLUMNS, [Place(ballot, 0)], now_s() + 1.0)
        return vote, ballot  # type: ignore[return-value]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for pool in self.pools:
                pool._generations.close()

    @property
    def outcomes(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.metrics.outcomes.items() if count}


@in_virtual_time
async def test_samples_are_scored_by_every_model_and_compared() -> None:
    world = World()
    async with world.running():
        for level in range(10):
            world.sample(level)
        await asyncio.sleep(1.0)
    assert world.outcomes == {Outcome.COMPARED: 10}
    assert world.metrics.scores[SHADOW].total == sum(range(10))
    assert world.metrics.differences.total == -10
    assert world.metrics.absolute_difference == 10
    assert sum(sent.rows for sent in world.sendings) == 20


@pytest.mark.parametrize("machine", [Machine(under_way=1), Machine(waiting_count=1, starved=0.0)])
@in_virtual_time
async def test_shadow_does_not_work_beside_live_work(machine: Machine) -> None:
    world = World()
    world.machine.__dict__.update(machine.__dict__)
    async with world.running():
        world.sample()
        await asyncio.sleep(0.4)
        assert world.sendings == []
        world.machine.under_way = world.machine.waiting_count = 0
        world.spare.notify()
        await asyncio.sleep(0.2)
    assert world.outcomes == {Outcome.COMPARED: 1}


@in_virtual_time
async def test_shadow_works_beside_cohorts_on_a_machine_with_cpu_to_spare() -> None:
    world = World()
    world.machine.under_way, world.machine.starved = 3, 0.0
    async with world.running():
        world.sample()
        await asyncio.sleep(0.2)
    assert world.outcomes == {Outcome.COMPARED: 1}


@in_virtual_time
async def test_shadow_that_meets_live_work_takes_a_small_share_of_the_time() -> None:
    world = World(models=1)
    async with world.running():
        began_s, worked = now_s(), 0
        while now_s() - began_s < 20:
            world.sample()
            world.machine.departures += 1  # a cohort departs and returns all the time
            await asyncio.sleep(0.001)
        worked = len(world.sendings)
    rows = sum(sent.rows for sent in world.sendings)
    assert 0.8 * WORK_SHARE < (rows * ROW_S + worked * MESSAGE_CPU_S) / 20 <= 1.05 * WORK_SHARE


@in_virtual_time
async def test_samples_that_wait_too_long_are_dropped() -> None:
    world = World()
    world.machine.under_way = 1
    async with world.running():
        world.sample()
        await asyncio.sleep(MAX_AGE_S + 0.1)
        world.sample()
        world.machine.under_way = 0
        await asyncio.sleep(0.1)
    assert world.outcomes == {Outcome.COMPARED: 1, Outcome.EXPIRED: 1}


@in_virtual_time
async def test_full_queue_drops_new_samples() -> None:
    world = World()
    for _ in range(MAX_SAMPLES + 5):
        world.sample()
    assert len(world.queue) == MAX_SAMPLES
    assert world.outcomes == {Outcome.QUEUE_FULL: 5}


@in_virtual_time
async def test_queue_is_bounded_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_ROWS", 3)
    world = World()
    for _ in range(4):
        world.sample()
    assert len(world.queue) == 3


@in_virtual_time
async def test_samples_of_an_earlier_catalog_are_dropped() -> None:
    world = World()
    world.in_force = False
    async with world.running():
        world.sample()
        await asyncio.sleep(0.2)
    assert world.outcomes == {Outcome.REPLACED: 1}
    assert world.sendings == []


@in_virtual_time
async def test_frozen_model_loses_its_own_votes_only() -> None:
    world = World(models=3)
    world.lanes[1][0].freeze()
    async with world.running():
        world.sample()
        await asyncio.sleep(0.5)
        world.lanes[1][0].thaw()
    assert world.outcomes == {Outcome.COMPARED: 1}
    assert world.metrics.misses == {"m1": 1}
    assert world.metrics.partial[SHADOW] == 1


@in_virtual_time
async def test_too_few_votes_are_not_compared() -> None:
    world = World(models=2)
    for lanes in world.lanes:
        lanes[0].is_failing = True
    async with world.running():
        world.sample()
        await asyncio.sleep(0.5)
    assert world.outcomes == {Outcome.NO_QUORUM: 1}
    assert world.metrics.scores[SHADOW].counts.sum() == 0


@in_virtual_time
async def test_cohort_that_could_not_ask_every_model_counts_no_missing_votes() -> None:
    world = World(models=2)
    async with world.running():
        world.sample()
        await asyncio.sleep(GATHER_S + 0.001)
        assert len(world.sendings) == 1
        world.machine.under_way = 1
        await asyncio.sleep(ASKING_S + 1)
        world.machine.under_way = 0
        await asyncio.sleep(0.1)
    assert world.outcomes == {Outcome.EXPIRED: 1}
    assert not +world.metrics.misses


@in_virtual_time
async def test_bug_in_a_comparison_does_not_end_the_runner(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()

    def fail(_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_compare", fail)
        async with world.running():
            for _ in range(2):
                world.sample()
                await asyncio.sleep(0.5)
            patch.undo()
            world.sample()
            await asyncio.sleep(0.5)
    assert world.outcomes == {Outcome.FAILED: 2, Outcome.COMPARED: 1}
    assert [record.message for record in caplog.records] == ["g: cannot compare the shadow v2; logged once"]


@in_virtual_time
async def test_rows_of_a_shadow_are_never_sent_again_and_teach_nothing() -> None:
    world = World(models=1, replicas=2)
    pool = world.pools[0]
    tokens = pool._generations.tries.budget._tokens
    world.lanes[0][0].is_failing = world.lanes[0][1].is_failing = True
    async with world.running():
        for _ in range(5):
            world.sample()
            await asyncio.sleep(0.2)
        for lane in world.lanes[0]:
            lane.is_failing = False
        for _ in range(5):
            world.sample()
            await asyncio.sleep(0.2)
    assert world.outcomes == {Outcome.COMPARED: 5, Outcome.NO_QUORUM: 5}
    assert len(world.sendings) == 10
    assert (pool.retried_rows, pool.hedged_rows, pool.lanes_out, pool._generations.tries.budget._tokens) == (
        0,
        0,
        0,
        tokens,
    )
    assert world.starvation.reports == 0


def test_live_rows_never_wait_behind_more_than_a_bounded_piece_of_work() -> None:
    for seed in range(SEEDS):
        run(_live_beside_shadow(random.Random(seed)))


async def _live_beside_shadow(rng: random.Random) -> None:
    """A live row waits for the message that its replica is scoring, and for no other row of a shadow."""
    world = World(models=rng.choice([1, 2, 4]), replicas=1)
    travel_s = 0.003
    async with world.running():
        for _ in range(30):
            for _ in range(rng.randrange(40)):
                world.sample()
            await asyncio.sleep(rng.uniform(0, 0.02))
            model = rng.randrange(len(world.pools))
            load = world.pools[model].load
            assert load.rows == 0, "the rows of a shadow must not count as load"
            world.machine.under_way = 1
            world.machine.departures += 1
            began_s = now_s()
            rows = rng.randrange(1, 4)
            vote, ballot = world.live_vote(rows, model)
            await vote
            assert ballot.reasons == [None]
            assert now_s() - began_s <= WORK_S + rows * ROW_S + travel_s
            world.machine.under_way = 0
            world.spare.notify()
        await asyncio.sleep(60.0)
    assert len(world.queue) == 0
    assert not +world.metrics.misses
    assert all(pool.load.rows == 0 and pool.outstanding_rows == 0 for pool in world.pools)


@in_virtual_time
async def test_live_rows_overtake_the_rows_of_shadows_in_the_queue() -> None:
    world = World(models=1)
    pool = world.pools[0]
    first, _ = world.live_vote(10)  # keeps the lane busy
    ballot = Ballot(["m"], 1, 1, lambda: None, is_shadow=True)
    player = PlayerFeatures(struct.pack("<d", 1.0), (), 0.0)
    rows = CohortRows(COLUMNS, [player], [Passenger({}, ())])
    shadow = pool.start_vote(rows, COLUMNS, [Place(ballot, 0)], now_s() + 1)
    live, _ = world.live_vote(10)
    assert pool.waiting_rows == 11
    await first
    await live
    assert not shadow.done()
    await shadow
    pool._generations.close()
