"""Floods of calls at the intake: they are accepted by the intake only, at a bounded rate, and refused in parts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from loadtest.hostile.connection import Connection, Target, connected, headers_frame
from loadtest.hostile.frames import ACK, PREFACE, SETTINGS, frame, rst_stream, settings
from mesh.serving import MAX_PENDING_HARD, MAX_STREAMS, server_options
from mesh.unknown_methods import new_server
from supervisor import held_calls
from supervisor.acceptor import ACCEPTING, ACCEPTING_CROWDED
from supervisor.callers.recognition import Admission
from supervisor.intake import FLOOD, LATE_REFUSED_IN_A_TURN, REFUSED_IN_A_TURN, Intake
from supervisor.raw_call import RawCall
from supervisor.reading_calls import READING, READING_S, KnownPeers
from tests.supervisor.replica import until

METHOD = "/test.Echo/Ask"
LONGEST_S = 30.0
BUSY_S = 0.5
AT_ONCE, CALLS = 50, 200


@dataclass
class Service:
    """A supervisor's server with one method, at `target`; its clock stands still until a test moves it."""

    target: Target
    channel: Any
    taker: Any = None
    now_s: float = 0.0
    accepted: list[str] = field(default_factory=list)
    refusals: int = 0

    def admit(self, call: RawCall) -> Admission | None:
        self.accepted.append(call.peer())
        return None

    def refuse(self) -> None:
        self.refusals += 1

    async def ask(self, request: bytes) -> Any:
        return await self.channel.unary_unary(METHOD)(request, timeout=LONGEST_S)


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    async def never(_request: bytes, _context: Any) -> bytes:
        raise AssertionError("grpc.aio has accepted a call of the intake")

    echo: Any = None
    server = new_server(server_options(2**20))
    server.add_registered_method_handlers("test.Echo", {"Ask": grpc.unary_unary_rpc_method_handler(never)})
    port = server.add_insecure_port("127.0.0.1:0")
    taker = Intake(
        {METHOD: lambda request, *_: request},
        lambda: LONGEST_S,
        lambda: echo.refuse(),
        lambda: echo.now_s,
        lambda call: echo.admit(call),
    )
    taker.claim(server)
    await server.start()
    taker.start(server)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            echo = Service(Target("127.0.0.1", port), channel, taker)
            yield echo
    finally:
        taker.drain()
        await server.stop(0)
        await asyncio.wait_for(taker.close(), 10)


async def flood(connection: Connection, calls: int, frames: Callable[[int], bytes]) -> None:
    """Sends `frames` of each of `calls` streams."""
    for _ in range(calls // AT_ONCE):
        await connection.send(b"".join(frames(connection.next_stream()) for _ in range(AT_ONCE)))
        await asyncio.sleep(0)


def send_calls(flooding: socket.socket, calls: int) -> None:
    """Sends calls without requests, as fast as the server reads them."""
    flooding.settimeout(BUSY_S)
    flooding.sendall(PREFACE + settings())
    flooding.recv(1)  # the server's SETTINGS have arrived
    flooding.sendall(frame(SETTINGS, ACK))
    with contextlib.suppress(OSError):  # the test has ended
        flooding.sendall(b"".join(silent(2 * number + 1) for number in range(calls)))


def cancelled(stream: int) -> bytes:
    return headers_frame(stream, METHOD) + rst_stream(stream)


def silent(stream: int) -> bytes:
    return headers_frame(stream, METHOD)


@asynccontextmanager
async def hostile(echo: Service) -> AsyncIterator[Connection]:
    async with connected(echo.target) as connection:
        await connection.greet()
        reader = asyncio.create_task(connection.until_closed(60.0))
        try:
            yield connection
        finally:
            reader.cancel()


@asynccontextmanager
async def silent_flood(echo: Service) -> AsyncIterator[None]:
    """`CALLS` calls without requests on one connection, which wait."""
    async with hostile(echo) as connection:
        await flood(connection, CALLS, silent)
        await until(lambda: len(echo.taker._others.waiting) == CALLS - READING)
        yield


async def test_only_the_intake_accepts_calls_of_its_methods() -> None:
    async with service() as echo:
        requests = [str(number).encode() for number in range(100)]
        assert await asyncio.gather(*map(echo.ask, requests)) == requests


async def test_connection_that_cancels_its_calls_has_a_bounded_number_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_calls, "HOLD_S", 1000.0)
    async with service() as echo, hostile(echo) as connection:
        await flood(connection, 10 * MAX_STREAMS, cancelled)
        await until(lambda: len(echo.taker._held) > MAX_STREAMS / 2)
        assert await echo.ask(b"polite") == b"polite"
        await flood(connection, MAX_STREAMS, cancelled)
        assert await echo.ask(b"polite") == b"polite"
        of_flood = [peer for peer in echo.accepted if peer == echo.accepted[0]]
        assert len(of_flood) < 2 * MAX_STREAMS


async def test_burst_of_one_connection_does_not_fill_the_queue_for_the_others() -> None:
    async with service() as echo:
        assert await echo.ask(b"polite") == b"polite"
        with socket.create_connection(echo.target) as flooding:
            thread = threading.Thread(target=send_calls, args=(flooding, 2 * MAX_PENDING_HARD))
            thread.start()
            time.sleep(BUSY_S)  # noqa: ASYNC251 (the event loop is busy, so that it accepts no call)
            requests = [str(number).encode() for number in range(50)]
            assert await asyncio.gather(*map(echo.ask, requests)) == requests
            thread.join(BUSY_S)


async def test_more_calls_are_accepted_in_a_turn_while_many_wait() -> None:
    async with service() as echo, hostile(echo) as connection:
        await until(lambda: len(echo.taker._tasks) == ACCEPTING)
        await flood(connection, CALLS, silent)
        await until(lambda: len(echo.taker._others.waiting) == CALLS - READING)
        acceptors = [task for task in echo.taker._tasks if "accept" in repr(task)]
        assert len(acceptors) == ACCEPTING_CROWDED
        echo.now_s = LONGEST_S
        echo.taker._run()
        await until(lambda: echo.refusals == CALLS - READING)
        requests = [str(number).encode() for number in range(ACCEPTING_CROWDED)]
        assert await asyncio.gather(*map(echo.ask, requests)) == requests
        await until(lambda: len([task for task in echo.taker._tasks if "accept" in repr(task)]) == ACCEPTING)


async def test_connection_that_cancels_few_calls_keeps_no_streams() -> None:
    async with service() as echo, hostile(echo) as connection:
        for stream in range(1, 2 * FLOOD, 2):
            await connection.send(cancelled(stream))
        await until(lambda: len(echo.accepted) == FLOOD)
        assert await echo.ask(b"polite") == b"polite"
        assert len(echo.taker._held) == 0


async def test_calls_that_wait_too_long_are_refused_in_several_turns() -> None:
    async with service() as echo, silent_flood(echo):
        echo.now_s = LONGEST_S
        echo.taker._run()
        assert 0 < echo.refusals <= REFUSED_IN_A_TURN
        await until(lambda: echo.refusals == CALLS - READING)


async def test_calls_of_a_late_connection_are_refused_in_more_turns() -> None:
    async with service() as echo, silent_flood(echo):
        echo.now_s = READING_S
        echo.taker._run()
        await until(lambda: len(echo.taker._late.waiting) > 100 and not echo.taker._is_due)
        echo.now_s = LONGEST_S
        echo.taker._run()
        assert 0 < echo.refusals <= LATE_REFUSED_IN_A_TURN


def test_oldest_connection_above_the_limit_is_forgotten() -> None:
    peers = KnownPeers(2)
    peers.note_request("a")
    peers.note_late("b")
    assert [peers.is_punctual(peer) for peer in "abc"] == [True, False, None]
    peers.note_request("c")
    assert [peers.is_punctual(peer) for peer in "abc"] == [None, False, True]


def test_calls_in_a_row_whose_callers_left_are_counted() -> None:
    peers = KnownPeers()
    assert [peers.note_left("a") for _ in range(3)] == [1, 2, 3]
    peers.note_late("a")
    assert peers.note_left("a") == 4
    peers.note_request("a")
    assert peers.note_left("a") == 1
