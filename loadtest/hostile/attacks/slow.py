"""Clients that send nothing, one byte at a time, or do not read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from loadtest.hostile.attacks import Aim, Attack, Outcomes
from loadtest.hostile.connection import Connection, connected, headers_frame, request
from loadtest.hostile.frames import DATA, PREFACE, frame, grpc_message, settings
from mesh.serving import HANDSHAKE_S

MARGIN_S = 5.0  # on top of the server's time limit
LINGER_S = 2.0  # of an attack that the server does not end
BYTE_EVERY_S = 1.0
HALF_OPEN, SLOW, UNREAD = 1200, 100, 90
_Send = Callable[[Connection], Coroutine[Any, Any, None]]


async def slow_handshakes(aim: Aim) -> Outcomes:
    """Opens connections and sends nothing, only the preface, or preface or SETTINGS byte by byte.

    The server closes each when its time for the handshake is over.
    """

    async def slow_settings(connection: Connection) -> None:
        await connection.send(PREFACE)
        await _drip(connection, settings(initial_window_size=65535))

    kinds: tuple[tuple[int, _Send], ...] = (
        (HALF_OPEN, _nothing),
        (SLOW, lambda connection: _drip(connection, PREFACE)),
        (SLOW, lambda connection: connection.send(PREFACE)),
        (SLOW, slow_settings),
    )
    outcomes: Outcomes = Counter()
    for found in await asyncio.gather(*(_until_closed(aim, count, send) for count, send in kinds)):
        outcomes.update(found)
    return outcomes


async def unacknowledged_settings(aim: Aim) -> Outcomes:
    """Completes the handshake, but does not acknowledge the server's SETTINGS."""
    return await _until_closed(aim, SLOW, lambda connection: connection.send(PREFACE + settings()))


async def slow_headers(aim: Aim) -> Outcomes:
    """Sends the headers of a call byte by byte."""
    return await _lingering(aim, lambda connection: _drip(connection, headers_frame(1, aim.service.main)))


async def slow_body(aim: Aim) -> Outcomes:
    """Sends the headers of many calls on each connection, and then the message of one call byte by byte."""

    async def send(connection: Connection) -> None:
        streams = [connection.next_stream() for _ in range(20)]
        await connection.send(b"".join(headers_frame(stream, aim.service.main) for stream in streams))
        for byte in grpc_message(aim.service.unary[aim.service.main]):
            await connection.send(frame(DATA, stream=streams[0], payload=bytes((byte,))))
            await asyncio.sleep(BYTE_EVERY_S)

    return await _lingering(aim, send)


async def no_reader(aim: Aim) -> Outcomes:
    """Calls, but gives the server no window for the responses, and does not read."""
    body = grpc_message(aim.service.unary[aim.service.main])

    async def send(connection: Connection) -> None:
        await connection.send(settings(initial_window_size=0))
        for _ in range(UNREAD):
            await connection.send(request(connection.next_stream(), aim.service.main, body))

    return await _lingering(aim, send, connections=10)


async def idle(aim: Aim) -> Outcomes:
    """Opens connections, completes the handshake and sends nothing more."""
    return await _lingering(aim, lambda connection: connection.send(b""), connections=500)


async def _nothing(_connection: Connection) -> None:
    return None


async def _drip(connection: Connection, data: bytes) -> None:
    for byte in data:
        await connection.send(bytes((byte,)))
        await asyncio.sleep(BYTE_EVERY_S)


async def _until_closed(aim: Aim, count: int, send: _Send) -> Outcomes:
    outcomes: Outcomes = Counter()
    async with _connections(aim, aim.times(count)) as opened, asyncio.TaskGroup() as tasks:
        senders = [tasks.create_task(send(connection)) for connection in opened]
        closed = await asyncio.gather(*(one.until_closed(HANDSHAKE_S + MARGIN_S) for one in opened))
        outcomes.update("closed" if is_closed else "open" for is_closed in closed)
        for sender in senders:
            sender.cancel()
    return outcomes


async def _lingering(aim: Aim, send: _Send, connections: int = SLOW) -> Outcomes:
    """Sends on several connections, and leaves after `LINGER_S`."""
    async with _connections(aim, aim.times(connections)) as opened, asyncio.TaskGroup() as tasks:
        for connection in opened:
            await connection.greet()
        senders = [tasks.create_task(send(connection)) for connection in opened]
        await asyncio.sleep(LINGER_S)
        for sender in senders:
            sender.cancel()
        return Counter("closed" if connection.reader.at_eof() else "open" for connection in opened)


@asynccontextmanager
async def _connections(aim: Aim, count: int) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(aim.target)) for _ in range(count)]


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (slow_handshakes, unacknowledged_settings, slow_headers, slow_body, no_reader, idle)
}
