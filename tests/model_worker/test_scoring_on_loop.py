from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import Expired, MeshError, Overloaded
from model_worker.batch import Batch, Pairs, Scored, Work
from model_worker.forest import Candidates
from model_worker.identity import Engine
from model_worker.queue import CallWaiter, PredictQueue, QueueLimits, Starvation, running_queue
from model_worker.server import MAX_ON_LOOP_NS, queue_limits
from model_worker.settings import read_settings
from tests.model_worker.fakes import Caller, GatedForest, rows, scores, work

AMPLE_NS = 10**10
LIMITS = QueueLimits(max_batch_rows=4, max_queue_rows=8, max_on_loop_ns=AMPLE_NS)


@dataclass(frozen=True, slots=True)
class Share:
    """A starvation that is always the same."""

    value: float

    def share(self) -> float:
        return self.value


@asynccontextmanager
async def queue_of(
    forest: GatedForest,
    limits: QueueLimits = LIMITS,
    record: Callable[[Batch], None] = lambda _batch: None,
    starvation: Callable[[], Starvation] = lambda: Share(0.0),
) -> AsyncIterator[PredictQueue]:
    async with running_queue(forest, limits, record, drain_s=30, starvation=starvation) as queue:
        try:
            yield queue
        finally:
            forest.gate.set()


async def ask(queue: PredictQueue, *first: float) -> Scored:
    waiter = CallWaiter()
    queue.submit(work(waiter, *first))
    return await waiter.scored()


async def warm(queue: PredictQueue, forest: GatedForest) -> None:
    """Lets the queue learn the cost of requests of all sizes."""
    for size in (1, 2, 4):
        await ask(queue, *range(size))
    forest.threads.clear()


async def test_cost_is_learned_on_the_thread_then_small_requests_are_scored_on_the_loop() -> None:
    forest, loop = GatedForest(), threading.get_ident()
    async with queue_of(forest) as queue:
        assert (await ask(queue, 1, 2)).scores == scores(2, 3)
        assert (await ask(queue, 2, 3)).scores == scores(3, 4)
    first, second = forest.threads
    assert first != loop
    assert second == loop


async def test_outcome_on_the_loop_is_settled_before_submit_returns() -> None:
    forest, caller = GatedForest(), Caller()
    async with queue_of(forest) as queue:
        await warm(queue, forest)
        queue.submit(work(caller, 5))
        assert [outcome.scores for outcome in caller.outcomes if isinstance(outcome, Scored)] == [scores(6)]
        assert queue.in_flight == 0


async def test_request_above_the_time_limit_is_scored_on_the_thread() -> None:
    forest = GatedForest()
    async with queue_of(forest, QueueLimits(4, 8, max_on_loop_ns=1)) as queue:
        await warm(queue, forest)
        await ask(queue, 1)
    assert threading.get_ident() not in forest.threads


async def test_limit_of_zero_keeps_all_requests_on_the_thread() -> None:
    forest = GatedForest()
    async with queue_of(forest, QueueLimits(4, 8)) as queue:
        for number in range(5):
            await ask(queue, number)
    assert threading.get_ident() not in forest.threads


async def test_request_behind_admitted_work_keeps_its_place_and_is_scored_on_the_thread() -> None:
    forest, settled = GatedForest(), list[int]()
    async with queue_of(forest) as queue:
        await warm(queue, forest)
        forest.gate.clear()
        pairs = Pairs(forest.table(Candidates((1,), scores(7), 1)), 1, None)  # of unknown cost
        queue.submit(Work(rows(1), 1, OrderedCaller(1, settled), 0, pairs=pairs))
        queue.submit(work(OrderedCaller(2, settled), 2))
        forest.gate.set()
    assert settled == [1, 2]
    assert threading.get_ident() not in forest.threads


async def test_failed_or_expired_request_on_the_loop_gets_its_error() -> None:
    forest, late = GatedForest(), Caller()
    async with queue_of(forest) as queue:
        await warm(queue, forest)
        forest.failure = ValueError("broken")
        with pytest.raises(MeshError, match="internal error"):
            await ask(queue, 1)
        forest.failure = None
        queue.submit(work(late, 2, expires_ns=1))
        assert [type(outcome) for outcome in late.outcomes] == [Expired]
        assert (await ask(queue, 3)).scores == scores(4)


async def test_request_scored_on_the_loop_is_recorded_and_refused_like_any_other() -> None:
    forest, batches = GatedForest(), list[Batch]()
    async with queue_of(forest, QueueLimits(4, 4, AMPLE_NS), batches.append) as queue:
        await warm(queue, forest)
        await ask(queue, 1, 2)
        with pytest.raises(Overloaded):
            await ask(queue, 1, 2, 3, 4, 5)
        queue.close()
        with pytest.raises(MeshError, match="draining"):
            await ask(queue, 1)
    assert [batch.rows for batch in batches] == [1, 2, 4, 2]
    assert all(batch.busy_ns > 0 for batch in batches)


@pytest.mark.parametrize(("loop", "thread", "largest"), [(0.5, 0.25, 0.5), (0.25, 0.5, 0.5)])
async def test_starvation_is_the_loops_on_the_loop_and_the_larger_one_on_the_thread(
    loop: float, thread: float, largest: float
) -> None:
    forest, shares = GatedForest(), itertools.chain([Share(loop), Share(thread)])
    async with queue_of(forest, starvation=lambda: next(shares)) as queue:
        assert (await ask(queue, 1)).starved == largest
        assert (await ask(queue, 1)).starved == loop


@pytest.mark.parametrize(
    ("engine", "on_loop_ns"),
    [(Engine("forest"), MAX_ON_LOOP_NS), (Engine("lightgbm", "switched off"), 0), (Engine("lightgbm"), 0)],
)
def test_only_our_own_engine_scores_on_the_loop(engine: Engine, on_loop_ns: int) -> None:
    worker = read_settings(["--name", "whales", "--uri", "whales.txt"])
    assert queue_limits(worker, engine) == QueueLimits(4096, 16384, on_loop_ns)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=30))
async def test_all_work_is_settled_once_in_order_and_never_on_two_threads(steps: list[tuple[int, bool]]) -> None:
    forest, callers, settled = GatedForest(), list[Caller](), list[int]()
    limits = QueueLimits(max_batch_rows=4, max_queue_rows=1000, max_on_loop_ns=AMPLE_NS)

    async with queue_of(forest, limits) as queue:
        for number, (size, pauses) in enumerate(steps):
            callers.append(OrderedCaller(number, settled))
            queue.submit(work(callers[-1], *[number] * size))
            if pauses:
                await ask(queue, 0)
    assert settled == list(range(len(steps)))
    for number, (one, (size, _)) in enumerate(zip(callers, steps, strict=True)):
        (outcome,) = one.outcomes
        assert isinstance(outcome, Scored)
        assert outcome.scores == scores(*[number + 1] * size)


class OrderedCaller(Caller):
    """Adds its number to `settled` when it gets its outcome."""

    def __init__(self, number: int, settled: list[int]) -> None:
        super().__init__()
        self._number = number
        self._settled = settled

    def settle(self, outcome: Scored | MeshError) -> None:
        super().settle(outcome)
        self._settled.append(self._number)
