from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import Expired, MeshError, Overloaded, Unavailable
from model_worker.batch import Batch, Scored, Work
from model_worker.queue import CallWaiter, PredictQueue, QueueLimits, running_queue
from tests.model_worker.fakes import Caller, GatedForest, scores, work

LIMITS = QueueLimits(max_batch_rows=4, max_queue_rows=8)


@asynccontextmanager
async def queue_of(
    forest: GatedForest, limits: QueueLimits = LIMITS, batches: list[Batch] | None = None
) -> AsyncIterator[PredictQueue]:
    record: list[Batch] = [] if batches is None else batches
    async with running_queue(forest, limits, record.append, drain_s=30) as queue:
        try:
            yield queue
        finally:
            forest.gate.set()


async def at_the_gate(forest: GatedForest) -> None:
    """Returns when the predict thread arrives at the gate again."""
    assert await asyncio.to_thread(forest.entered.acquire, timeout=30)


def ask(queue: PredictQueue, *first: float, expires_ns: float = float("inf")) -> asyncio.Task[Scored]:
    waiter = CallWaiter()
    queue.submit(Work(work(Caller(), *first).rows, len(first), waiter, 0, expires_ns))
    return asyncio.ensure_future(waiter.scored())


async def test_idle_queue_predicts_immediately() -> None:
    async with queue_of(GatedForest()) as queue:
        assert (await ask(queue, 1, 2)).scores == scores(2, 3)
        assert queue.in_flight == 0


async def test_queued_requests_share_the_next_batch() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        calls = [ask(queue, 1)]
        await at_the_gate(forest)
        calls += [ask(queue, 2), ask(queue, 3, 4), ask(queue, 5)]
        forest.gate.set()
        assert [(await call).scores for call in calls] == [scores(2), scores(3), scores(4, 5), scores(6)]
        assert forest.batches == [1, 4]


async def test_request_that_does_not_fit_waits_for_the_next_batch() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        calls = [ask(queue, 1)]
        await at_the_gate(forest)
        calls += [ask(queue, 2, 3, 4), ask(queue, 5, 6), ask(queue, 7)]
        forest.gate.set()
        await asyncio.gather(*calls)
        assert forest.batches == [1, 3, 3]


async def test_full_queue_refuses_immediately() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        calls = [ask(queue, 1, 2, 3, 4), ask(queue, 5, 6, 7)]
        with pytest.raises(Overloaded, match="7 of 8 rows"):
            ask(queue, 8, 9)
        calls.append(ask(queue, 8))
        forest.gate.set()
        assert [len((await call).scores) // 8 for call in calls] == [4, 3, 1]


async def test_settled_work_makes_space_again() -> None:
    async with queue_of(GatedForest()) as queue:
        for _ in range(3):
            assert (await ask(queue, 1, 2, 3, 4)).scores == scores(2, 3, 4, 5)


async def test_expired_work_is_dropped_without_a_prediction() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = ask(queue, 1)
        await at_the_gate(forest)
        late, neighbour = ask(queue, 2, 3, expires_ns=1), ask(queue, 4)
        forest.gate.set()
        with pytest.raises(Expired):
            await late
        assert (await neighbour).scores == scores(5)
        await first
        assert forest.batches == [1, 1]


async def test_cancelled_caller_is_not_predicted_and_affects_no_other() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = ask(queue, 1)
        await at_the_gate(forest)
        cancelled, neighbour = ask(queue, 2, 3), ask(queue, 4)
        await asyncio.sleep(0)  # lets the cancelled caller start to wait
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        forest.gate.set()
        assert (await neighbour).scores == scores(5)
        await first
        assert forest.batches == [1, 1]


async def test_caller_cancelled_during_its_prediction_affects_no_other() -> None:
    forest = GatedForest()
    async with queue_of(forest) as queue:
        forest.gate.clear()
        blocker = ask(queue, 0)
        await at_the_gate(forest)
        cancelled, neighbour = ask(queue, 1), ask(queue, 2)
        forest.gate.set()
        await at_the_gate(forest)
        cancelled.cancel()
        assert (await neighbour).scores == scores(3)
        await asyncio.wait([blocker, cancelled])


async def test_thread_continues_after_a_failed_batch() -> None:
    forest = GatedForest()
    async with queue_of(forest) as queue:
        forest.failure = ValueError("broken")
        with pytest.raises(MeshError, match="internal error"):
            await ask(queue, 1)
        forest.failure = None
        assert (await ask(queue, 1)).scores == scores(2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread fails on purpose
async def test_all_callers_are_settled_when_the_thread_fails() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = ask(queue, 1)
        await at_the_gate(forest)
        second = ask(queue, 2)
        forest.failure = SystemExit()
        forest.gate.set()
        for call in (first, second):
            with pytest.raises(Unavailable):
                await call
        await queue.ended()
        with pytest.raises(Unavailable, match="has ended because of a bug"):
            ask(queue, 3)


async def test_closed_queue_answers_admitted_work_and_refuses_new_work() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        calls = [ask(queue, 1), ask(queue, 2)]
        queue.close()
        with pytest.raises(Unavailable, match="draining"):
            ask(queue, 3)
        forest.gate.set()
        assert [(await call).scores for call in calls] == [scores(2), scores(3)]
        await queue.ended()


async def test_drain_settles_all_work_after_its_time_limit() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        stuck = ask(queue, 1)
        await queue.drain(drain_s=0.01)
        with pytest.raises(Unavailable, match="stopped before"):
            await stuck


async def test_each_batch_is_recorded() -> None:
    batches: list[Batch] = []
    async with queue_of(GatedForest(), batches=batches) as queue:
        await ask(queue, 1, 2)
    assert [batch.rows for batch in batches] == [2]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), max_size=30), expired=st.sets(st.integers(0, 29)))
async def test_all_work_is_settled_once_in_batches_within_the_limit(sizes: list[int], expired: set[int]) -> None:
    forest, callers = GatedForest(), []
    async with queue_of(forest, QueueLimits(max_batch_rows=4, max_queue_rows=1000)) as queue:
        for number, size in enumerate(sizes):
            callers.append(caller := Caller())
            expires_ns = 0.0 if number in expired else float("inf")
            queue.submit(work(caller, *[number] * size, expires_ns=expires_ns))
    for number, (caller, size) in enumerate(zip(callers, sizes, strict=True)):
        (outcome,) = caller.outcomes
        if number in expired:
            assert isinstance(outcome, Expired)
        else:
            assert isinstance(outcome, Scored)
            assert outcome.scores == scores(*[number + 1] * size)
    assert all(rows <= 4 for rows in forest.batches)
