"""A store for uploads that fails as its script says, which moto cannot do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faulty_s3 import listening, send_error

Fault = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@dataclass(slots=True)
class Puts:
    """The objects by path. Each request meets the next fault of `script`; later requests succeed."""

    script: list[Fault] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = int(re.findall(r"(?im)^content-length: (\d+)", head)[0])
                if "100-continue" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if self.script:
                    await self.script.pop(0)(reader, writer, size)
                    return
                body = await reader.readexactly(size)
                self.objects[head.split()[1].replace("%3D", "=")] = body
                writer.write(b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n')
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client gives up
        finally:
            writer.close()


@asynccontextmanager
async def store(*script: Fault) -> AsyncIterator[Puts]:
    """Runs a store on a free loopback port while the block lasts."""
    puts = Puts(list(script))
    async with listening(puts.serve) as puts.endpoint:
        yield puts


def refuse(status: int, code: str) -> Fault:
    """Reads the upload, and answers an error of S3."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        await reader.readexactly(size)
        await send_error(writer, status, code)

    return respond


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    """Reads half of the upload, and resets the connection."""
    await reader.readexactly(size // 2)
    writer.transport.abort()


async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter, size: int) -> None:
    """Reads the upload, and never answers."""
    await reader.readexactly(size)
    await reader.read()


async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    """Reads one byte a second."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while not reader.at_eof():
        await reader.read(1)
        await asyncio.sleep(1)
