from __future__ import annotations

import asyncio

import pytest

from mesh.errors import Expired
from model_worker.batch import Scored
from model_worker.stream import MAX_UNWRITTEN, Outbox, RefusedRequest, ScoredRequest, StreamWaiter
from model_worker.tensors import DecodedRequest

DECODED = DecodedRequest(b"", 1, raw=True)
SCORED = Scored(b"", 1, 1, 0.0)


async def test_results_are_written_in_the_order_of_their_delivery() -> None:
    outbox = Outbox()
    first, second = (StreamWaiter(outbox, name, DECODED) for name in ("first", "second"))
    outbox.expect()
    outbox.expect()
    late = Expired("late")
    second.settle(SCORED)
    first.settle(late)
    assert await outbox.next() == ScoredRequest("second", DECODED, SCORED)
    assert await outbox.next() == RefusedRequest("first", late)


async def test_writer_waits_for_the_last_result_after_the_last_request() -> None:
    outbox = Outbox()
    outbox.expect()
    outbox.finish()
    taken = asyncio.ensure_future(outbox.next())
    await asyncio.sleep(0)
    assert not taken.done()
    StreamWaiter(outbox, "last", DECODED).settle(SCORED)
    assert await taken == ScoredRequest("last", DECODED, SCORED)
    assert await outbox.next() is None


async def test_cancelled_writer_loses_no_result() -> None:
    outbox = Outbox()
    outbox.expect()
    taken = asyncio.ensure_future(outbox.next())
    await asyncio.sleep(0)
    StreamWaiter(outbox, "one", DECODED).settle(SCORED)
    taken.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taken
    assert await outbox.next() == ScoredRequest("one", DECODED, SCORED)


async def test_reader_stops_while_the_client_does_not_read() -> None:
    outbox = Outbox()
    for _ in range(MAX_UNWRITTEN):
        await outbox.space()
        outbox.expect()
        StreamWaiter(outbox, "", DECODED).settle(SCORED)
    reading = asyncio.ensure_future(outbox.space())
    await asyncio.sleep(0)
    assert not reading.done()
    await outbox.next()
    await reading


def test_work_of_an_ended_stream_is_abandoned() -> None:
    outbox = Outbox()
    waiter = StreamWaiter(outbox, "", DECODED)
    assert not waiter.gone
    outbox.gone = True
    assert waiter.gone
