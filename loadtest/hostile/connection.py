"""One connection of a hostile client: it sends any bytes, and reports what the server does with the connection."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.hostile import hpack, speed
from loadtest.hostile.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_BYTES,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    frame,
    grpc_message,
    settings,
    window_update,
)

ANSWER_S = 10.0  # no answer of a healthy server takes longer
LARGE_WINDOW = 2**30
FRAME_BYTES, DEFAULT_WINDOW = 16_384, 65_535
CLOSED, NOTHING = "closed", "no answer"


class Target(NamedTuple):
    """The address of a server."""

    host: str
    port: int


class Reply(NamedTuple):
    """The end of a call: the status of gRPC (None: the stream was reset, or the reply had none) and its text."""

    status: int | None
    text: str
    body: bytes = b""


@dataclass(slots=True)
class _Answer:
    headers: list[hpack.Header]
    body: bytes = b""


class Connection:
    """A connection after TCP's handshake. Nothing is sent before `greet` or `send`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._greeted = False
        self.went_away: tuple[int, bytes] | None = None  # the code and the text of a GOAWAY frame
        self._decoder = hpack.Decoder()
        self._answers: dict[int, _Answer] = {}
        self._replies: deque[tuple[int, Reply]] = deque()
        self._stream = -1
        self._first_window = self._window = DEFAULT_WINDOW
        self._more_window: Counter[int] = Counter()  # of a stream, beside the first

    async def greet(self, **values: int) -> None:
        """Sends the preface and SETTINGS, as a polite client does; gives the server a large window for replies."""
        self._greeted = True
        await self.send(PREFACE + settings(initial_window_size=LARGE_WINDOW, **values) + window_update(0, LARGE_WINDOW))

    async def acknowledge(self) -> None:
        """Reads until the server's SETTINGS have arrived, and acknowledges them."""
        async with asyncio.timeout(ANSWER_S):
            while (received := await self.frame()) is not None and received.kind != SETTINGS:
                pass

    async def send(self, data: bytes) -> None:
        """Sends bytes, as fast as the speed of this process allows; the server may have closed the connection."""
        await speed.take(len(data))
        with contextlib.suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    def next_stream(self) -> int:
        """The number of the next stream."""
        self._stream += 2
        return self._stream

    async def frame(self) -> Frame | None:
        """Returns the next frame; None once the server has closed the connection. Answers PING and SETTINGS."""
        try:
            head = await self.reader.readexactly(HEAD_BYTES)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        except (OSError, asyncio.IncompleteReadError):
            return None
        received = Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
        if self._greeted and received.kind in (PING, SETTINGS) and not received.flags & ACK:
            await self.send(frame(received.kind, ACK, payload=payload if received.kind == PING else b""))
        self._note(received)
        return received

    def _note(self, received: Frame) -> None:
        kind, stream, payload = received.kind, received.stream, received.payload
        if kind == GOAWAY:
            self.went_away = int.from_bytes(payload[4:8], "big"), payload[8:]
        elif kind == SETTINGS:
            pairs = (payload[at : at + 6] for at in range(0, len(payload), 6))
            found = {int.from_bytes(pair[:2], "big"): int.from_bytes(pair[2:], "big") for pair in pairs}
            self._first_window = found.get(INITIAL_WINDOW_SIZE, self._first_window)
        elif kind == WINDOW_UPDATE:
            increment = int.from_bytes(payload, "big")
            if stream:
                self._more_window[stream] += increment
            else:
                self._window += increment
        elif kind == RST_STREAM:
            self._answers.pop(stream, None)
            self._replies.append((stream, Reply(None, f"RST_STREAM {int.from_bytes(payload, 'big')}")))
        elif kind in (HEADERS, DATA):
            self._note_answer(received)

    def _note_answer(self, received: Frame) -> None:
        answer = self._answers.setdefault(received.stream, _Answer([]))
        if received.kind == DATA:
            answer.body += received.payload
        else:
            answer.headers = self._decoder.decode(received.payload)
        if received.flags & END_STREAM:
            self._replies.append((received.stream, _reply(self._answers.pop(received.stream))))

    async def replies(self) -> AsyncIterator[tuple[int, Reply]]:
        """Yields each stream that ends, with its reply, until the server closes the connection."""
        while True:
            while self._replies:
                yield self._replies.popleft()
            if await self.frame() is None:
                return

    async def reply(self, stream: int) -> Reply | str:
        """Returns the reply on `stream`; CLOSED if the server closes the connection first, NOTHING if none arrives."""
        try:
            async with asyncio.timeout(ANSWER_S):
                async for number, reply in self.replies():
                    if number == stream:
                        return reply
        except TimeoutError:
            return NOTHING
        return CLOSED

    async def fate(self, stream: int) -> str:
        """Returns how the call on `stream` ends: its status, a reset, or the end of the connection."""
        reply = await self.reply(stream)
        if isinstance(reply, Reply):
            return reply.text if reply.status is None else f"status {reply.status}"
        return reply if self.went_away is None else f"GOAWAY {self.went_away[0]}"

    async def send_body(self, stream: int, body: bytes) -> None:
        """Sends `body` and ends the stream, as far as the windows of the server allow."""
        parts = [body[at : at + FRAME_BYTES] for at in range(0, len(body), FRAME_BYTES)] or [b""]
        for part in parts[:-1]:
            await self._room(len(part), stream)
            await self.send(frame(DATA, 0, stream, part))
        await self._room(len(parts[-1]), stream)
        await self.send(frame(DATA, END_STREAM, stream, parts[-1]))

    async def _room(self, size: int, stream: int) -> None:
        while min(self._window, self._first_window + self._more_window[stream]) < size and not self._replies:
            if await self.frame() is None:
                return
        self._window -= size
        self._more_window[stream] -= size

    async def call(self, path: str, body: bytes, *more: hpack.Header) -> Reply | str:
        """Calls a unary method with one message."""
        stream = self.next_stream()
        await self.send(request(stream, path, grpc_message(body), more))
        return await self.reply(stream)

    async def until_closed(self, within_s: float) -> bool:
        """Reads until the server closes the connection; returns whether it did so within `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                while await self.frame() is not None:
                    pass
        except TimeoutError:
            return False
        return True


@contextlib.asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Connection]:
    """Opens a connection for the block. Raises OSError."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def head(path: str, more: Iterable[hpack.Header] = (), *, without: Iterable[bytes] = ()) -> list[hpack.Header]:
    """The headers of a gRPC request; those in `without` are missing."""
    usual = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"mesh"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return [*(header for header in usual if header[0] not in without), *more]


def headers_frame(stream: int, path: str, more: Iterable[hpack.Header] = (), flags: int = END_HEADERS) -> bytes:
    """Encodes the HEADERS frame of a request."""
    return frame(HEADERS, flags, stream, hpack.block(head(path, more)))


def request(stream: int, path: str, message: bytes, more: Iterable[hpack.Header] = ()) -> bytes:
    """Encodes a whole request with one message, which has its prefix."""
    return headers_frame(stream, path, more) + frame(DATA, END_STREAM, stream, message)


def _reply(answer: _Answer) -> Reply:
    headers = dict(answer.headers)
    status = headers.get(b"grpc-status")
    text = urllib.parse.unquote(headers.get(b"grpc-message", b"").decode(errors="replace"))
    if status is None:
        return Reply(None, f"HTTP {headers.get(b':status', b'?').decode()}", answer.body)
    return Reply(int(status), text, answer.body)


async def pipelined(
    connection: Connection, requests: Iterator[Callable[[int], bytes]], at_once: int = 64
) -> AsyncIterator[Reply | str]:
    """Sends requests, at most `at_once` under way, and yields each reply; CLOSED if the server closes the connection.

    Each request is a function of the number of its stream.
    """
    under_way = 0

    async def send_next() -> int:
        make = next(requests, None)
        if make is None:
            return 0
        await connection.send(make(connection.next_stream()))
        return 1

    for _ in range(at_once):
        under_way += await send_next()
    replies = connection.replies()
    while under_way:
        try:
            async with asyncio.timeout(ANSWER_S):
                _, reply = await anext(replies)
        except (StopAsyncIteration, TimeoutError) as error:
            yield NOTHING if isinstance(error, TimeoutError) else CLOSED
            return
        yield reply
        under_way += await send_next() - 1
