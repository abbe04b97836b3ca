from __future__ import annotations

import asyncio

import pytest

from mesh.errors import Expired
from model_worker.batch import Scored
from model_worker.stream import MAX_UNWRITTEN, Answer, Outbox, Refusal, StreamWaiter
from model_worker.tensors import Question

QUESTION = Question(b"", 1, raw=True)
SCORED = Scored(b"", 1, 1, 0.0)


async def test_answers_come_out_in_the_order_in_which_they_were_ready() -> None:
    outbox = Outbox()
    first, second = (StreamWaiter(outbox, name, QUESTION) for name in ("first", "second"))
    outbox.expect()
    outbox.expect()
    late = Expired("late")
    second.settle(SCORED)
    first.settle(late)
    assert await outbox.next() == Answer("second", QUESTION, SCORED)
    assert await outbox.next() == Refusal("first", late)


async def test_the_last_answer_is_waited_for_after_the_last_request() -> None:
    outbox = Outbox()
    outbox.expect()
    outbox.finish()
    taken = asyncio.ensure_future(outbox.next())
    await asyncio.sleep(0)
    assert not taken.done()
    StreamWaiter(outbox, "last", QUESTION).settle(SCORED)
    assert await taken == Answer("last", QUESTION, SCORED)
    assert await outbox.next() is None


async def test_a_cancelled_writer_loses_no_answer() -> None:
    outbox = Outbox()
    outbox.expect()
    taken = asyncio.ensure_future(outbox.next())
    await asyncio.sleep(0)
    StreamWaiter(outbox, "one", QUESTION).settle(SCORED)
    taken.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taken
    assert await outbox.next() == Answer("one", QUESTION, SCORED)


async def test_a_client_that_does_not_read_is_not_read() -> None:
    outbox = Outbox()
    for _ in range(MAX_UNWRITTEN):
        await outbox.room()
        outbox.expect()
        StreamWaiter(outbox, "", QUESTION).settle(SCORED)
    reading = asyncio.ensure_future(outbox.room())
    await asyncio.sleep(0)
    assert not reading.done()
    await outbox.next()
    await reading


def test_work_of_a_stream_that_ended_is_abandoned() -> None:
    outbox = Outbox()
    waiter = StreamWaiter(outbox, "", QUESTION)
    assert not waiter.gone
    outbox.gone = True
    assert waiter.gone
