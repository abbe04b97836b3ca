"""Requests that arrive slowly, and streams that stay open: their number and time are bounded."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from mesh.bounded_calls import GIVEN_UP_AT_ONCE, NO_MESSAGE, OpenStreams, Reading, unary_handler
from mesh.errors import Expired, Overloaded

WITHIN_S = 20.0
METHOD = "/trial/Echo"


async def echo(request: bytes, _context: object) -> bytes:
    return request


async def test_request_that_arrives_is_returned() -> None:
    assert await Reading().wait_for(asyncio.sleep(0, b"request")) == b"request"


async def test_request_that_does_not_arrive_in_time_is_given_up() -> None:
    with pytest.raises(Expired, match=r"within 0\.01 s"):
        await Reading(within_s=0.01).wait_for(asyncio.Event().wait())


async def test_oldest_of_too_many_requests_is_given_up_and_the_newest_is_read() -> None:
    reading, arrived = Reading(most=2, within_s=WITHIN_S), asyncio.Event()
    reads = [asyncio.ensure_future(reading.wait_for(arrived.wait())) for _ in range(3)]
    with pytest.raises(Expired):
        await reads[0]
    arrived.set()
    assert await asyncio.gather(*reads[1:]) == [True, True]


async def test_every_late_request_is_given_up_also_one_that_began_later() -> None:
    reading, arrived = Reading(within_s=0.02), asyncio.Event()
    first = asyncio.ensure_future(reading.wait_for(arrived.wait()))
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(reading.wait_for(arrived.wait()))
    for late in (first, second):
        with pytest.raises(Expired):
            await asyncio.wait_for(late, WITHIN_S)
    assert reading.count == 0


async def test_many_late_requests_are_given_up_in_several_turns() -> None:
    reading, arrived = Reading(within_s=0.01), asyncio.Event()
    reads = [asyncio.ensure_future(reading.wait_for(arrived.wait())) for _ in range(10 * GIVEN_UP_AT_ONCE)]
    counts = list[int]()
    while not counts or counts[-1]:
        await asyncio.sleep(0)
        counts.append(reading.count)
    assert max(before - after for before, after in itertools.pairwise(counts)) <= GIVEN_UP_AT_ONCE
    assert all(isinstance(end, Expired) for end in await asyncio.gather(*reads, return_exceptions=True))


async def test_cancelled_read_is_cancelled_even_if_it_is_late_at_the_same_time() -> None:
    reading, begun = Reading(most=1, within_s=WITHIN_S), asyncio.Event()
    cancelled = asyncio.ensure_future(reading.wait_for(begun.wait()))
    await asyncio.sleep(0)
    cancelled.cancel()
    newer = asyncio.ensure_future(reading.wait_for(asyncio.sleep(0, b"request")))
    assert await newer == b"request"
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_cancelled_read_leaves_its_place() -> None:
    reading, arrived = Reading(most=1, within_s=WITHIN_S), asyncio.Event()
    cancelled = asyncio.ensure_future(reading.wait_for(arrived.wait()))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    reads = [asyncio.ensure_future(reading.wait_for(arrived.wait()))]
    await asyncio.sleep(0)
    arrived.set()
    assert await reads[0]


def test_streams_above_the_limit_are_refused_until_one_ends() -> None:
    streams = OpenStreams(1)
    with streams.entered(), pytest.raises(Overloaded, match="1 streams"), streams.entered():
        pass
    with streams.entered():
        pass


@pytest.fixture
async def channel() -> AsyncIterator[Any]:
    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Echo": unary_handler(echo, Reading(within_s=0.05))}
    server.add_registered_method_handlers("trial", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def test_unary_call_gets_its_response(channel: Any) -> None:
    assert await channel.unary_unary(METHOD)(b"request", timeout=WITHIN_S) == b"request"


async def test_call_without_message_gets_invalid_argument(channel: Any) -> None:
    call = channel.stream_unary(METHOD)(iter([]), timeout=WITHIN_S)
    assert (await call.code(), await call.details()) == (grpc.StatusCode.INVALID_ARGUMENT, NO_MESSAGE)


async def test_call_whose_message_does_not_arrive_gets_deadline_exceeded(channel: Any) -> None:
    call = channel.stream_stream(METHOD)(timeout=WITHIN_S)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "did not arrive within 0.05 s" in await call.details()
