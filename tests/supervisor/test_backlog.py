"""The backlog of a panel, and what its check at admission is worth: slow models on a virtual clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from mesh.errors import Overloaded
from supervisor.backlog import SAMPLE_S, UNEVEN, Asked, Backlog, LoadedPool, PoolLoad, RowCount
from supervisor.cohort import Cohorts
from supervisor.rows import Passenger
from supervisor.ticket import Ticket
from tests.supervisor.slow_models import (
    CAPACITY_RPS,
    DEADLINE_S,
    LATE,
    MODELS,
    ROW_S,
    WHOLE,
    NeverStarved,
    SlowModel,
    SlowRoute,
)
from tests.supervisor.virtual_time import in_virtual_time, now_s


@dataclass
class FixedPool:
    """A pool with a load that the test sets."""

    load: PoolLoad


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def backlog(*loads: PoolLoad, quorum: int | None = None) -> Backlog:
    pools = [FixedPool(load) for load in loads]
    return backlog_of(pools, len(loads) if quorum is None else quorum, Clock())


def backlog_of(
    pools: Sequence[LoadedPool], quorum: int, clock: Callable[[], float], rows: RowCount | None = None
) -> Backlog:
    """The backlog of the version `v`, which shares no model."""
    return Backlog([Asked(pools, {"v": rows or RowCount()})], quorum, clock)


def test_backlog_is_the_time_for_all_rows_and_one_more() -> None:
    assert backlog(PoolLoad(rows=30, lanes=2, row_s=0.01)).time_s({"v": 5}, 1) == pytest.approx(36 * 0.01 / 2 + 0.01)


def test_slowest_model_is_the_backlog_of_the_panel() -> None:
    loads = PoolLoad(10, 1, 0.01), PoolLoad(15, 1, 0.01), PoolLoad(12, 1, 0.01)
    assert backlog(*loads, quorum=2).time_s({"v": 0}, 1) == pytest.approx(0.17)


def test_model_that_is_much_slower_than_the_quorum_loses_only_its_own_votes() -> None:
    loads = PoolLoad(10, 1, 0.01), PoolLoad(10, 1, 0.01), PoolLoad(500, 1, 0.01)
    assert backlog(*loads, quorum=2).time_s({"v": 0}, 1) == pytest.approx(UNEVEN * 0.12)
    assert backlog(*loads, quorum=3).time_s({"v": 0}, 1) == pytest.approx(5.02)


def test_model_without_a_replica_does_not_count() -> None:
    assert backlog(PoolLoad(10, 1, 0.01), PoolLoad(900, 0, 0.01)).time_s({"v": 0}, 1) == pytest.approx(0.12)
    assert backlog(PoolLoad(900, 0, 0.01)).time_s({"v": 9}, 1) == 0.0


def test_idle_panel_has_no_backlog_for_any_number_of_new_rows() -> None:
    idle = backlog(PoolLoad(0, 1, 0.5), PoolLoad(0, 2, 0.5))
    assert idle.time_s({"v": 0}, 1000) == 0.0
    assert idle.time_s({"v": 1}, 1) == pytest.approx(1.5)


def test_load_is_read_again_after_two_milliseconds() -> None:
    pool, clock = FixedPool(PoolLoad(10, 1, 0.01)), Clock()
    sampled = backlog_of([pool], 1, clock)
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)
    pool.load = PoolLoad(20, 1, 0.01)
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)
    clock.now_s += SAMPLE_S
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.22)


def test_rows_that_have_departed_count_until_a_sample_has_them() -> None:
    pool, clock = FixedPool(PoolLoad(0, 1, 0.01)), Clock()
    count = RowCount()
    sampled = backlog_of([pool], 1, clock, count)
    count.departed += 10
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)
    clock.now_s += SAMPLE_S  # the features of the rows are still read
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)
    count.arrived += 10
    pool.load = PoolLoad(10, 1, 0.01)
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)
    clock.now_s += SAMPLE_S
    assert sampled.time_s({"v": 0}, 1) == pytest.approx(0.12)


async def whole_rps(offered_rps: float, *, by_backlog: bool, seconds: float = 5.0) -> float:
    """Whole answers a second of slow models at an offered rate."""
    rng = np.random.default_rng(1)
    times_s = iter(rng.lognormal(np.log(ROW_S), 0.15, 2_000_000))
    models = [SlowModel(times_s) for _ in range(MODELS)]
    rows = RowCount()
    route = SlowRoute(models, backlog_of(models, 10, now_s, rows) if by_backlog else None, rows)
    results: Counter[str] = Counter()
    async with asyncio.TaskGroup() as tasks:
        cohorts = Cohorts(tasks, NeverStarved(), 2048, clock=now_s)
        start_s = now_s()
        for offset_s in np.cumsum(rng.exponential(1 / offered_rps, int(offered_rps * seconds))):
            await asyncio.sleep(start_s + float(offset_s) - now_s())
            one = Ticket("p", Passenger({}, (0,)), 1, None, now_s(), now_s() + DEADLINE_S, version="v")
            try:
                cohorts.admit(route, one)
            except Overloaded:
                results["refused"] += 1
                continue
            asyncio.get_running_loop().call_later(DEADLINE_S, one.settle, LATE)
            one.answer.add_done_callback(
                lambda answer: results.update(["whole" if answer.result() is WHOLE else "late"])
            )
    return results["whole"] / seconds


@pytest.mark.parametrize("load", [1.0, 1.5, 3.0, 10.0])
@in_virtual_time
async def test_slow_models_keep_their_whole_answers_above_capacity(load: float) -> None:
    assert await whole_rps(load * CAPACITY_RPS, by_backlog=True) >= 0.9 * CAPACITY_RPS


@in_virtual_time
async def test_slow_models_lose_their_whole_answers_without_the_backlog() -> None:
    assert await whole_rps(3 * CAPACITY_RPS, by_backlog=False) < 0.6 * CAPACITY_RPS


@in_virtual_time
async def test_request_is_refused_at_once_when_the_models_have_too_many_rows() -> None:
    models = [FixedPool(PoolLoad(100, 1, 0.01))]
    route = SlowRoute([], backlog_of(models, 1, now_s), RowCount())
    async with asyncio.TaskGroup() as tasks:
        cohorts = Cohorts(tasks, NeverStarved(), 10, clock=now_s)
        with pytest.raises(Overloaded, match=r"the models need 1\.020 s"):
            cohorts.admit(route, Ticket("p", Passenger({}, (0,)), 1, None, now_s(), now_s() + 1.0, version="v"))
