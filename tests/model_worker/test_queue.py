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
    """Returns when the predict thread has come to the gate once more."""
    assert await asyncio.to_thread(forest.entered.acquire, timeout=30)


def asked(queue: PredictQueue, *first: float, expires_ns: float = float("inf")) -> asyncio.Task[Scored]:
    waiter = CallWaiter()
    queue.submit(Work(work(Caller(), *first).rows, len(first), waiter, 0, expires_ns))
    return asyncio.ensure_future(waiter.scored())


async def test_an_idle_queue_predicts_at_once() -> None:
    async with queue_of(GatedForest()) as queue:
        assert (await asked(queue, 1, 2)).scores == scores(2, 3)
        assert queue.in_flight == 0


async def test_all_that_waits_shares_the_next_batch() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        answers = [asked(queue, 1)]
        await at_the_gate(forest)
        answers += [asked(queue, 2), asked(queue, 3, 4), asked(queue, 5)]
        forest.gate.set()
        assert [(await answer).scores for answer in answers] == [scores(2), scores(3), scores(4, 5), scores(6)]
        assert forest.batches == [1, 4]


async def test_what_does_not_fit_a_batch_waits_for_the_next_in_order() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        answers = [asked(queue, 1)]
        await at_the_gate(forest)
        answers += [asked(queue, 2, 3, 4), asked(queue, 5, 6), asked(queue, 7)]
        forest.gate.set()
        await asyncio.gather(*answers)
        assert forest.batches == [1, 3, 3]


async def test_a_full_queue_refuses_at_once() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        answers = [asked(queue, 1, 2, 3, 4), asked(queue, 5, 6, 7)]
        with pytest.raises(Overloaded, match="7 of 8 rows"):
            asked(queue, 8, 9)
        answers.append(asked(queue, 8))
        forest.gate.set()
        assert [len((await answer).scores) // 8 for answer in answers] == [4, 3, 1]


async def test_answered_work_makes_room_again() -> None:
    async with queue_of(GatedForest()) as queue:
        for _ in range(3):
            assert (await asked(queue, 1, 2, 3, 4)).scores == scores(2, 3, 4, 5)


async def test_work_that_expires_in_the_queue_is_dropped_before_it_costs_anything() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = asked(queue, 1)
        await at_the_gate(forest)
        late, neighbour = asked(queue, 2, 3, expires_ns=1), asked(queue, 4)
        forest.gate.set()
        with pytest.raises(Expired):
            await late
        assert (await neighbour).scores == scores(5)
        await first
        assert forest.batches == [1, 1]


async def test_a_caller_that_leaves_hurts_nobody_and_costs_nothing() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = asked(queue, 1)
        await at_the_gate(forest)
        leaver, neighbour = asked(queue, 2, 3), asked(queue, 4)
        await asyncio.sleep(0)  # lets the leaver begin to wait
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        forest.gate.set()
        assert (await neighbour).scores == scores(5)
        await first
        assert forest.batches == [1, 1]


async def test_a_caller_that_leaves_while_its_batch_is_predicted_hurts_nobody() -> None:
    forest = GatedForest()
    async with queue_of(forest) as queue:
        forest.gate.clear()
        blocker = asked(queue, 0)
        await at_the_gate(forest)
        leaver, neighbour = asked(queue, 1), asked(queue, 2)
        forest.gate.set()
        await at_the_gate(forest)
        leaver.cancel()
        assert (await neighbour).scores == scores(3)
        await asyncio.wait([blocker, leaver])


async def test_after_a_failed_batch_the_thread_goes_on() -> None:
    forest = GatedForest()
    async with queue_of(forest) as queue:
        forest.failure = ValueError("broken")
        with pytest.raises(MeshError, match="internal error"):
            await asked(queue, 1)
        forest.failure = None
        assert (await asked(queue, 1)).scores == scores(2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it dies on purpose
async def test_a_thread_that_dies_leaves_nobody_waiting() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        first = asked(queue, 1)
        await at_the_gate(forest)
        second = asked(queue, 2)
        forest.failure = SystemExit()
        forest.gate.set()
        for answer in (first, second):
            with pytest.raises(Unavailable):
                await answer
        await queue.ended()
        with pytest.raises(Unavailable, match="has died"):
            asked(queue, 3)


async def test_a_closed_queue_answers_what_it_admitted_and_refuses_the_rest() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        answers = [asked(queue, 1), asked(queue, 2)]
        queue.close()
        with pytest.raises(Unavailable, match="draining"):
            asked(queue, 3)
        forest.gate.set()
        assert [(await answer).scores for answer in answers] == [scores(2), scores(3)]
        await queue.ended()


async def test_a_drain_that_takes_too_long_settles_all() -> None:
    forest = GatedForest()
    forest.gate.clear()
    async with queue_of(forest) as queue:
        stuck = asked(queue, 1)
        await queue.drain(drain_s=0.01)
        with pytest.raises(Unavailable, match="stopped before"):
            await stuck


async def test_each_batch_is_recorded() -> None:
    batches: list[Batch] = []
    async with queue_of(GatedForest(), batches=batches) as queue:
        await asked(queue, 1, 2)
    assert [batch.rows for batch in batches] == [2]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), max_size=30), expired=st.sets(st.integers(0, 29)))
async def test_all_work_is_settled_once_and_in_batches_within_the_limit(sizes: list[int], expired: set[int]) -> None:
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
