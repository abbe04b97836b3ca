from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from loadtest.generators.http_caller import HttpCaller, posts

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 5\r\n\r\nhello"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Service:
    """Sends `answers`, byte by byte, on each connection, then closes it."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = answers
        self.bodies: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for answer in self.answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            self.bodies.append(await reader.readexactly(length))
            for position in range(len(answer)):
                writer.write(answer[position : position + 1])
                await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def _caller_of(service: Service) -> AsyncIterator[HttpCaller]:
    async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        address = f"{host}:{port}"
        caller = HttpCaller(address, posts(address, "/score", ["p0000", "p0001"]))
        yield caller
        caller.close()


async def test_open_connection_is_reused() -> None:
    service = Service([KEPT, KEPT, KEPT])
    async with _caller_of(service) as caller:
        assert [await caller.ask(player) for player in (0, 1, 0)] == ["ENSEMBLE"] * 3
    assert service.connections == 1
    assert service.bodies[:2] == [b'{"player_id": "p0000"}', b'{"player_id": "p0001"}']


async def test_new_connection_replaces_one_that_the_server_closed() -> None:
    service = Service([CLOSED])
    async with _caller_of(service) as caller:
        assert [await caller.ask(0) for _ in range(3)] == ["ENSEMBLE"] * 3
    assert service.connections == 3


@pytest.mark.parametrize(
    ("answer", "reported"), [(FAILED, "HTTP 500"), (CLOSED[:-1], "HTTP ConnectionResetError")], ids=["500", "cut"]
)
async def test_failed_answer_is_reported_by_its_status_or_error(answer: bytes, reported: str) -> None:
    async with _caller_of(Service([answer])) as caller:
        assert await caller.ask(0) == reported
