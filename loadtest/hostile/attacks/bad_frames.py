"""Clients that do not speak HTTP/2, and frames that break its rules: each on a connection of its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from loadtest.hostile import hpack
from loadtest.hostile.attacks import Aim, Attack, Outcomes, all_of
from loadtest.hostile.connection import Connection, connected, head, headers_frame
from loadtest.hostile.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    rst_stream,
    settings,
    window_update,
)

ROUNDS = 20
WAIT_S = 5.0  # for the server to close a connection; it may also ignore the bytes
CLIENT_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(160))
HTTP_1 = (
    b"GET / HTTP/1.1\r\nHost: mesh\r\n\r\n",
    b"POST /mesh.v1.Offers/GetOffer HTTP/1.1\r\nHost: mesh\r\nContent-Length: 99999999\r\n\r\n" + b"a" * 2000,
    b"GET / HTTP/1.1\r\nHost: mesh\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n",
    b"CONNECT mesh:1 HTTP/1.1\r\n\r\n",
)
WRONG_PREFACES = (*HTTP_1, PREFACE[:-2] + b"XX", PREFACE.lower(), b"\0" * 24, b"\xff" * 100, CLIENT_HELLO, b"PRI")


async def wrong_preface(aim: Aim) -> Outcomes:
    """Sends HTTP/1.1, TLS, zeros and almost a preface."""
    outcomes: Outcomes = Counter()
    for _ in range(aim.times(ROUNDS)):
        for data in WRONG_PREFACES[:-1]:  # the last one is a preface that does not go on
            async with connected(aim.target) as connection:
                await connection.send(data)
                outcomes["closed" if await connection.until_closed(5.0) else "open"] += 1
    return outcomes


async def bad_frames(aim: Aim) -> Outcomes:
    """Sends each frame of `broken`, and the same cut off at a random byte."""
    rng = random.Random(7)
    frames = [one for _ in range(aim.times(2)) for one in broken(aim.service.main)]
    return await all_of(_named(aim, name, data, rng.randrange(len(data))) for name, data in frames)


async def random_frames(aim: Aim) -> Outcomes:
    """Sends frames of random types, flags, streams and payloads."""
    outcomes: Outcomes = Counter()
    rng = random.Random(11)
    for _ in range(aim.times(200)):
        frames = b"".join(
            frame(rng.randrange(12), rng.randrange(256), rng.choice((0, 1, 3, 2, 2**31 - 1)), rng.randbytes(size))
            for size in (rng.choice((0, 1, 4, 5, 6, 8, 30, 300)) for _ in range(10))
        )
        async with connected(aim.target) as connection:
            await connection.greet()
            await connection.send(frames)
            outcomes["closed" if await connection.until_closed(0.02) else "open"] += 1
    return outcomes


def broken(path: str) -> Iterator[tuple[str, bytes]]:
    """Yields frames that break a rule of RFC 9113, each with the rule."""
    yield from _broken_streams(path)
    yield from _broken_connections(path)


def _broken_streams(path: str) -> Iterator[tuple[str, bytes]]:
    good = hpack.block(head(path))
    yield "DATA on stream 0", frame(DATA, 0, 0, b"abc")
    yield "DATA on an idle stream", frame(DATA, 0, 1, b"abc")
    yield "DATA on a closed stream", headers_frame(1, path) + rst_stream(1) + frame(DATA, END_STREAM, 1, b"abc")
    yield "DATA that is longer than the largest frame", frame(DATA, 0, 1, b"a" * 100, length=2**24 - 1)
    yield "DATA with more padding than content", headers_frame(1, path) + frame(DATA, PADDED, 1, b"\xff")
    yield "HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, good)
    yield "HEADERS on an even stream", frame(HEADERS, END_HEADERS, 2, good)
    yield "HEADERS on a smaller stream", headers_frame(5, path) + headers_frame(3, path)
    yield "HEADERS twice on a stream", headers_frame(1, path) + headers_frame(1, path)
    yield "HEADERS on the last stream", headers_frame(2**31 - 1, path)
    yield "HEADERS with too much padding", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + good)
    yield "HEADERS with half a priority", frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, b"\0\0")
    yield "HEADERS without content", frame(HEADERS, END_HEADERS, 1, b"")
    yield "HEADERS interrupted by PING", frame(HEADERS, 0, 1, good) + frame(PING, 0, 0, b"12345678")
    yield "HEADERS interrupted by DATA", frame(HEADERS, 0, 1, good) + frame(DATA, 0, 1, b"abc")
    yield "CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, good)
    yield "CONTINUATION on another stream", frame(HEADERS, 0, 1, good) + frame(CONTINUATION, END_HEADERS, 3, good)
    yield "PRIORITY of 3 bytes", frame(PRIORITY, 0, 1, b"abc")
    yield "RST_STREAM of 3 bytes", headers_frame(1, path) + frame(RST_STREAM, 0, 1, b"abc")
    yield "RST_STREAM on stream 0", rst_stream(0)
    yield "RST_STREAM on an idle stream", rst_stream(99)


def _broken_connections(path: str) -> Iterator[tuple[str, bytes]]:
    good = hpack.block(head(path))
    yield "SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"abcde")
    yield "SETTINGS on stream 1", frame(SETTINGS, 0, 1, b"")
    yield "SETTINGS acknowledgement with content", frame(SETTINGS, 1, 0, b"abcdef")
    yield "SETTINGS acknowledgement of nothing", frame(SETTINGS, 1, 0, b"")
    yield "SETTINGS with a window that is too large", settings(initial_window_size=2**31)
    yield "SETTINGS with a frame size that is too small", settings(max_frame_size=1)
    yield "SETTINGS with unknown names", settings(n99=1, n65535=2**32 - 1)
    yield "PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + good)
    yield "PING of 7 bytes", frame(PING, 0, 0, b"1234567")
    yield "PING on stream 1", frame(PING, 0, 1, b"12345678")
    yield "PING acknowledgement of nothing", frame(PING, 1, 0, b"12345678")
    yield "GOAWAY", frame(GOAWAY, 0, 0, b"\0" * 8)
    yield "GOAWAY of 3 bytes", frame(GOAWAY, 0, 0, b"abc")
    yield "GOAWAY with 16 KB of text", frame(GOAWAY, 0, 0, b"\0" * 8 + b"a" * 16_000)
    yield "WINDOW_UPDATE of 0", window_update(0, 0)
    yield "WINDOW_UPDATE of 0 for a stream", headers_frame(1, path) + window_update(1, 0)
    yield "WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, 0, 0, b"abc")
    yield "WINDOW_UPDATE that overflows", window_update(0, 2**31 - 1) * 2
    stream_overflow = headers_frame(1, path) + window_update(1, 2**31 - 1) * 2
    yield "WINDOW_UPDATE that overflows for a stream", stream_overflow
    yield "unknown frame", frame(0x63, 0xFF, 1, b"abc")
    yield "unknown frame of the largest length", frame(0x63, 0, 0, b"a" * 16_384)
    yield "frame whose length is a lie", frame(SETTINGS, 0, 0, b"", length=16_384)


async def _named(aim: Aim, name: str, data: bytes, cut_at: int) -> str:
    async with connected(aim.target) as connection:  # the client leaves in the middle of a frame
        await connection.greet()
        await connection.send(data[:cut_at])
    async with connected(aim.target) as connection:
        await connection.greet()
        await connection.send(data)
        return f"{name}: {await _fate(connection)}"


async def _fate(connection: Connection) -> str:
    is_closed = await connection.until_closed(WAIT_S)
    if connection.went_away is not None:
        return f"GOAWAY {connection.went_away[0]}"
    return "closed" if is_closed else "open"


ATTACKS: dict[str, Attack] = {attack.__name__: attack for attack in (wrong_preface, bad_frames, random_frames)}
