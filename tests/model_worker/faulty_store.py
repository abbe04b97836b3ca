"""A store that speaks as much of S3 as a download needs, and fails as it is told: what moto cannot do."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[["Store", int | None, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Store:
    """One object, whatever key is asked for; each request gets the next answer of `script`, then whole ones."""

    body: bytes
    script: list[Answer]
    endpoint: str = ""
    asked: list[int | None] = field(default_factory=list)  # where each request's range starts

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            found = re.search(r"(?im)^range: bytes=(\d+)-", head)
            start = int(found[1]) if found else None
            self.asked.append(start)
            same = re.search(r"(?im)^if-match: (\S+)", head)
            answer = self.script.pop(0) if self.script else whole
            await (answer if same is None or same[1] == self.etag else refuse(412, "PreconditionFailed"))(
                self, start, writer
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left, as some tests want
        finally:
            writer.close()


@asynccontextmanager
async def store(body: bytes, script: Sequence[Answer] = ()) -> AsyncIterator[Store]:
    """A store on a free loopback port for as long as the block lasts."""
    served = Store(body, list(script))
    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.ensure_future(served.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    served.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def whole(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
    """Everything from `start` on."""
    writer.write(_head(store, start) + store.body[start or 0 :])
    await writer.drain()


async def whole_without_ranges(store: Store, _: int | None, writer: asyncio.StreamWriter) -> None:
    """Everything, whatever was asked for."""
    await whole(store, None, writer)


def cut(after_bytes: int) -> Answer:
    """`after_bytes` of what was promised, then the connection is closed."""

    async def answer(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(store, start) + store.body[start or 0 :][:after_bytes])
        await writer.drain()

    return answer


def stall(after_bytes: int) -> Answer:
    """`after_bytes` of what was promised, then nothing more on an open connection."""

    async def answer(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        await cut(after_bytes)(store, start, writer)
        await writer.wait_closed()

    return answer


async def drip(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
    """One byte at a time, as quick as that goes."""
    writer.write(_head(store, start))
    for byte in store.body[start or 0 :]:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)


def refuse(status: int, code: str) -> Answer:
    """An error of S3's."""

    async def answer(_: Store, __: int | None, writer: asyncio.StreamWriter) -> None:
        body = f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()

    return answer


def _head(store: Store, start: int | None) -> bytes:
    size = len(store.body)
    lines = [f"Content-Length: {size - (start or 0)}", f"ETag: {store.etag}", "Connection: close", "", ""]
    if start is None:
        return "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode()
    return "\r\n".join(["HTTP/1.1 206 X", f"Content-Range: bytes {start}-{size - 1}/{size}", *lines]).encode()
