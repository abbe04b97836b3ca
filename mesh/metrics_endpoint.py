"""The HTTP port of a service, for metrics and health: a minimal server, because a full one slows down each start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from mesh.errors import Misconfigured

MAX_CONNECTIONS = 64
_HEAD_LIMIT_BYTES = 16 * 2**10
_REQUEST_LIMIT_S = 5.0
_ACCEPT_PAUSE_S = 0.1
_BACKLOG = 128
_BROKEN = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)  # connections
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_OPEN_METRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
_log = logging.getLogger("mesh.metrics")
Page = Callable[[], bytes]
Check = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Pages:
    """What the port answers, by path: pages are made on a thread, checks on the event loop.

    A check answers 200, or 503 if it is false. `open_metrics` are the pages for clients that ask for OpenMetrics.
    """

    pages: Mapping[str, Page]
    checks: Mapping[str, Check] = field(default_factory=dict)
    open_metrics: Mapping[str, Page] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def metrics_endpoint(
    pages: Pages, host: str, port: int, tls: Callable[[], ssl.SSLContext] | None = None
) -> AsyncIterator[int]:
    """Answers GET and HEAD requests while the block runs; yields the port. Port 0 lets the system pick.

    `tls` returns the context of the next connection; None: plaintext. Raises `Misconfigured` when the port is in use.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        raise Misconfigured([f"--metrics-port: cannot listen on {host}:{port}: {error.strerror}"]) from error
    server = _Server(pages, tls)
    with listener:
        accepting = asyncio.create_task(server.accept(listener), name="metrics endpoint")
        try:
            yield int(listener.getsockname()[1])
        finally:
            accepting.cancel()
            await asyncio.wait((accepting,))
            await server.close()


def _listen(host: str, port: int) -> socket.socket:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


class _Server:
    """Answers at most `MAX_CONNECTIONS` at a time, one request of each. One more ends the oldest.

    The kubelet's probes must get through while other clients hold connections.
    """

    def __init__(self, pages: Pages, tls: Callable[[], ssl.SSLContext] | None) -> None:
        self._pages = pages
        self._tls = tls
        self._clients: dict[asyncio.Task[None], None] = {}  # in the order of their arrival
        self._making = asyncio.Semaphore(2)  # pages compete with requests for the CPU

    async def accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # no file descriptors, or the client is gone already
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if len(self._clients) >= MAX_CONNECTIONS:
                oldest = next(iter(self._clients))
                del self._clients[oldest]
                oldest.cancel()
            client = asyncio.create_task(self._serve(connection))
            self._clients[client] = None
            client.add_done_callback(lambda ended: self._clients.pop(ended, None))

    async def close(self) -> None:
        """Ends all connections."""
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        if clients:
            await asyncio.wait(clients)

    async def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(*_BROKEN):
            async with asyncio.timeout(_REQUEST_LIMIT_S):
                reader, writer = await self._open(connection)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    response = await self._response(head)
                    if writer.is_closing():  # uvloop raises RuntimeError for a write to a lost connection
                        return
                    writer.write(response)
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
                finally:
                    writer.transport.abort()  # a client that does not read must not keep the answer in memory

    async def _open(self, connection: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_HEAD_LIMIT_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        context = None if self._tls is None else self._tls()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _response(self, head: bytes) -> bytes:
        method, target, *_ = [*head.split(b"\r\n")[0].split(b" "), b"", b""]
        if method not in (b"GET", b"HEAD"):
            return _http(b"405 Method Not Allowed", b"", b"Allow: GET, HEAD\r\n")
        path = target.partition(b"?")[0].decode(errors="replace")
        is_open = path in self._pages.open_metrics and _accepts_open_metrics(head)
        status, body = await self._content(path, self._pages.open_metrics if is_open else self._pages.pages)
        response = _http(status, body, content=_OPEN_METRICS if is_open else _TEXT)
        return response if method == b"GET" else response[: len(response) - len(body)]

    async def _content(self, path: str, pages: Mapping[str, Page]) -> tuple[bytes, bytes]:
        check = self._pages.checks.get(path)
        if check is not None:
            return (b"200 OK", b"ok\n") if check() else (b"503 Service Unavailable", b"not ready\n")
        page = pages.get(path)
        if page is None:
            return b"404 Not Found", b""
        async with self._making:
            try:
                return b"200 OK", await asyncio.to_thread(page)
            except Exception:  # a bug of one page; the port has others
                _log.exception("the page %s cannot be made", path)
                return b"500 Internal Server Error", b""


def _accepts_open_metrics(head: bytes) -> bool:
    """Returns whether the header Accept of a request names OpenMetrics, as Prometheus does, without refusing it."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"accept":
            offers = [part.replace(b" ", b"").lower().split(b";") for part in value.split(b",")]
            if any(kind == b"application/openmetrics-text" and b"q=0" not in rest for kind, *rest in offers):
                return True
    return False


def _http(status: bytes, body: bytes, more: bytes = b"", content: bytes = _TEXT) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b"
    return head % (status, content, len(body), more) + b"Connection: close\r\n\r\n" + body
