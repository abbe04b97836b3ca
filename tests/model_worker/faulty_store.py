"""A fake S3 store for downloads that fails as its script says, which moto cannot do."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faulty_s3 import listening, send_error

Response = Callable[["Store", int | None, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Store:
    """Serves one object for every key. Each request gets the next response of `script`, then the whole object."""

    body: bytes
    script: list[Response]
    endpoint: str = ""
    range_starts: list[int | None] = field(default_factory=list)  # of all requests

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            found = re.search(r"(?im)^range: bytes=(\d+)-", head)
            start = int(found[1]) if found else None
            self.range_starts.append(start)
            same = re.search(r"(?im)^if-match: (\S+)", head)
            response = self.script.pop(0) if self.script else whole
            await (response if same is None or same[1] == self.etag else refuse(412, "PreconditionFailed"))(
                self, start, writer
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # some tests close the connection
        finally:
            writer.close()


@asynccontextmanager
async def store(body: bytes, script: Sequence[Response] = ()) -> AsyncIterator[Store]:
    """Runs a store on a free loopback port while the block lasts."""
    served = Store(body, list(script))
    async with listening(served.serve) as served.endpoint:
        yield served


async def whole(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
    """Sends everything from `start` on."""
    writer.write(_head(store, start) + store.body[start or 0 :])
    await writer.drain()


async def whole_without_ranges(store: Store, _: int | None, writer: asyncio.StreamWriter) -> None:
    """Sends the whole object, and ignores the range."""
    await whole(store, None, writer)


def cut(after_bytes: int) -> Response:
    """Sends only the first `after_bytes`, then closes the connection."""

    async def respond(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(store, start) + store.body[start or 0 :][:after_bytes])
        await writer.drain()

    return respond


def stall(after_bytes: int) -> Response:
    """Sends only the first `after_bytes`, then nothing on an open connection."""

    async def respond(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        await cut(after_bytes)(store, start, writer)
        await writer.wait_closed()

    return respond


async def drip(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
    """Sends one byte at a time, without a pause."""
    writer.write(_head(store, start))
    for byte in store.body[start or 0 :]:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)


def refuse(status: int, code: str) -> Response:
    """Sends an error of S3."""

    async def respond(_: Store, __: int | None, writer: asyncio.StreamWriter) -> None:
        await send_error(writer, status, code)

    return respond


def _head(store: Store, start: int | None) -> bytes:
    size = len(store.body)
    lines = [f"Content-Length: {size - (start or 0)}", f"ETag: {store.etag}", "Connection: close", "", ""]
    if start is None:
        return "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode()
    return "\r\n".join(["HTTP/1.1 206 X", f"Content-Range: bytes {start}-{size - 1}/{size}", *lines]).encode()
