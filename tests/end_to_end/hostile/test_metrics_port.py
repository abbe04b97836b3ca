"""Hostile clients at the metrics port of both services: a scrape and the checks of health always get through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from loadtest.hostile.connection import Connection, Target, connected
from mesh.metrics_endpoint import MAX_CONNECTIONS
from tests.end_to_end.hostile.observed import MAX_GROWTH_MB, Attacked

pytestmark = pytest.mark.whole_machine

WITHIN_S = 20.0
GET = b"GET /healthz HTTP/1.1\r\nHost: mesh\r\n\r\n"
WRONG = {
    b"POST /metrics HTTP/1.1\r\nHost: mesh\r\n\r\n": b"405",
    b"DELETE / HTTP/1.1\r\n\r\n": b"405",
    b"GET /../../etc/passwd HTTP/1.1\r\n\r\n": b"404",
    b"GET /\xff\xfe HTTP/1.1\r\n\r\n": b"404",
    b"\r\n\r\n": b"405",
    b"GET\r\n\r\n": b"404",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": b"405",
}


@contextlib.asynccontextmanager
async def metrics_connection(attacked: Attacked) -> AsyncIterator[Connection]:
    host, _, port = attacked.metrics.rpartition(":")
    async with connected(Target(host, int(port))) as connection:
        yield connection


async def answer(attacked: Attacked, request: bytes) -> bytes:
    """Returns the first line of the answer; empty if the connection is closed without one."""
    async with metrics_connection(attacked) as connection, asyncio.timeout(WITHIN_S):
        await connection.send(request)
        with contextlib.suppress(OSError):
            return await connection.reader.readline()
        return b""


async def test_held_connections_do_not_keep_a_check_of_the_health_away(attacked: Attacked) -> None:
    async with contextlib.AsyncExitStack() as stack:
        held = [await stack.enter_async_context(metrics_connection(attacked)) for _ in range(4 * MAX_CONNECTIONS)]
        for connection in held:
            await connection.send(b"GET /")
        assert b"200" in await answer(attacked, GET)
        assert all(await asyncio.gather(*(connection.until_closed(WITHIN_S) for connection in held)))


@pytest.mark.parametrize(("request_head", "status"), WRONG.items())
async def test_wrong_requests_get_a_status(attacked: Attacked, request_head: bytes, status: bytes) -> None:
    assert status in await answer(attacked, request_head)


async def test_long_head_is_refused_without_memory_or_lines_in_the_log(attacked: Attacked) -> None:
    before = attacked.state()
    for _ in range(20):
        assert await answer(attacked, b"GET / HTTP/1.1\r\nlong: " + b"a" * 2**20) == b""
    after = await attacked.settled(before)
    assert after.memory_mb - before.memory_mb < MAX_GROWTH_MB
    assert after.files <= before.files
    assert attacked.new_lines(before) == []
