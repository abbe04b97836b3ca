"""The Prometheus endpoint: a minimal HTTP server, because importing a full one slows down each start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from mesh.errors import Misconfigured

_HEAD_LIMIT_BYTES = 16 * 2**10
_REQUEST_LIMIT_S = 5.0
Page = Callable[[], bytes]


@contextlib.asynccontextmanager
async def metrics_endpoint(
    exposition: Page, host: str, port: int, more: Mapping[str, Page] | None = None
) -> AsyncIterator[int]:
    """Answers `GET /metrics` with the result of `exposition` while the block runs; yields the port.

    `more` has other pages by path, such as `/drift`. Port 0 lets the system pick. Pages are made on a thread. Raises
    `Misconfigured` when the port is in use.
    """

    pages = {"/": exposition, "/metrics": exposition, **(more or {})}
    connections: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_LIMIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _response(head, pages))
                await writer.drain()
        connections.discard(writer)
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_HEAD_LIMIT_BYTES)
    except OSError as error:
        raise Misconfigured([f"--metrics-port: cannot listen on {host}:{port}: {error.strerror}"]) from error
    async with server:
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            for connection in connections:  # closing the server would wait for a client that does not read
                connection.transport.abort()


async def _response(head: bytes, pages: Mapping[str, Page]) -> bytes:
    method, path, *_ = [*head.split(b"\r\n")[0].split(b" "), b"", b""]
    if method != b"GET":
        return _http(b"405 Method Not Allowed", b"")
    page = pages.get(path.partition(b"?")[0].decode(errors="replace"))
    if page is None:
        return _http(b"404 Not Found", b"")
    return _http(b"200 OK", await asyncio.to_thread(page))


def _http(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %d\r\n"
    return head % (status, len(body)) + b"Connection: close\r\n\r\n" + body
