"""The HTTP port of a service: pages, health checks, limits and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from mesh import metrics_endpoint as endpoint
from mesh.errors import Misconfigured
from mesh.metrics_endpoint import MAX_CONNECTIONS, Pages, metrics_endpoint
from mesh.tls.https import HttpsContext
from mesh.tls.live import LiveTls
from tests.mesh.tls.certificates import NAME, Holder, Wish, authority, ec_key, issue, write

PLACE = ("127.0.0.1", 0)
UP = Pages({"/": lambda: b"up 1\n", "/metrics": lambda: b"up 1\n"}, {"/no": lambda: False, "/yes": lambda: True})
GET = b"GET /metrics HTTP/1.1\r\n\r\n"
CA = authority()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("request_line", "status", "length", "body"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK", 5, b"up 1\n"),
        (b"GET /metrics?name=up HTTP/1.1", b"200 OK", 5, b"up 1\n"),
        (b"GET / HTTP/1.0", b"200 OK", 5, b"up 1\n"),
        (b"HEAD /metrics HTTP/1.1", b"200 OK", 5, b""),
        (b"GET /yes HTTP/1.1", b"200 OK", 3, b"ok\n"),
        (b"GET /no HTTP/1.1", b"503 Service Unavailable", 10, b"not ready\n"),
        (b"HEAD /no HTTP/1.1", b"503 Service Unavailable", 10, b""),
        (b"GET /secrets HTTP/1.1", b"404 Not Found", 0, b""),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed", 0, b""),
        (b"nonsense", b"405 Method Not Allowed", 0, b""),
    ],
)
async def test_first_line_of_a_request_decides_the_response(
    request_line: bytes, status: bytes, length: int, body: bytes
) -> None:
    async with metrics_endpoint(UP, *PLACE) as port:
        head, _, answered = (await ask(port, request_line + b"\r\nHost: here\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert f"\r\nContent-Length: {length}\r\n".encode() in head
    assert answered == body


async def test_connection_with_a_too_long_request_head_is_closed() -> None:
    async with metrics_endpoint(UP, *PLACE) as port:
        with contextlib.suppress(ConnectionError):
            assert await ask(port, b"GET /" + b"x" * 100_000) == b""
        assert b"200 OK" in await ask(port, GET)


async def test_port_in_use_is_reported_with_its_option() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"--metrics-port: cannot listen on 127.0.0.1:{port}"):
            async with metrics_endpoint(UP, "127.0.0.1", port):
                pass


async def test_ipv6_address_is_served() -> None:
    async with metrics_endpoint(UP, "::1", 0) as port:
        reader, writer = await asyncio.open_connection("::1", port)
        writer.write(GET)
        assert b"200 OK" in await reader.read()
        writer.close()


async def test_clients_that_hold_connections_do_not_keep_a_probe_out() -> None:
    async with metrics_endpoint(UP, *PLACE) as port, contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connection(port)) for _ in range(3 * MAX_CONNECTIONS)]
        assert b"200 OK" in await ask(port, b"GET /yes HTTP/1.1\r\n\r\n")
        ended = [asyncio.create_task(reader.read()) for reader, _ in silent[: 2 * MAX_CONNECTIONS]]
        assert set(await asyncio.gather(*ended)) == {b""}  # the oldest are closed
        silent[-1][1].write(GET)
        assert b"200 OK" in await silent[-1][0].read()


@contextlib.asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_checks_answer_while_pages_are_made() -> None:
    made = threading.Event()
    pages = Pages({"/slow": lambda: b"%d" % made.wait(20)}, {"/yes": lambda: True})
    async with metrics_endpoint(pages, *PLACE) as port:
        slow = [asyncio.create_task(ask(port, b"GET /slow HTTP/1.1\r\n\r\n")) for _ in range(50)]
        try:
            assert b"200 OK" in await ask(port, b"GET /yes HTTP/1.1\r\n\r\n")
        finally:
            made.set()
        assert all(b"200 OK" in answer for answer in await asyncio.gather(*slow))


async def test_page_that_fails_is_logged_and_the_others_stay(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bytes:
        raise LookupError("a bug")

    async with metrics_endpoint(Pages({"/broken": broken}, UP.checks), *PLACE) as port:
        assert b"HTTP/1.1 500" in await ask(port, b"GET /broken HTTP/1.1\r\n\r\n")
        assert b"200 OK" in await ask(port, b"GET /yes HTTP/1.1\r\n\r\n")
    assert [record.getMessage() for record in caplog.records] == ["the page /broken cannot be made"]


@pytest.mark.parametrize("with_tls", [False, True])
async def test_slow_client_is_closed_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tls: bool
) -> None:
    monkeypatch.setattr(endpoint, "_REQUEST_LIMIT_S", 0.05)
    tls = HttpsContext(LiveTls(write(tmp_path, issue(CA), CA))) if with_tls else None
    async with metrics_endpoint(UP, *PLACE, tls) as port, connection(port) as (reader, writer):
        writer.write(b"G")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_client_that_does_not_read_is_closed_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_REQUEST_LIMIT_S", 0.2)
    huge = Pages({"/metrics": lambda: bytes(50_000_000)})
    async with metrics_endpoint(huge, *PLACE) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(GET)
        await asyncio.sleep(0)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.wait_for(asyncio.create_task(all_clients_ended()), 20)
        writer.transport.abort()


async def all_clients_ended() -> None:
    while not any("_serve" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    while any("_serve" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def test_end_of_the_block_closes_open_connections() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with metrics_endpoint(UP, *PLACE) as port:
            reader, _ = await stack.enter_async_context(connection(port))
            await ask(port, GET)  # the connection before is accepted
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("with_tls", [False, True])
def test_broken_connections_leave_no_error_on_each_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, new_loop: Callable[[], asyncio.AbstractEventLoop], with_tls: bool
) -> None:
    async def main() -> bytes:
        tls = HttpsContext(LiveTls(write(tmp_path, issue(CA), CA))) if with_tls else None
        async with metrics_endpoint(UP, *PLACE, tls) as port, contextlib.AsyncExitStack() as stack:
            for _ in range(2 * MAX_CONNECTIONS):
                await stack.enter_async_context(connection(port))
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port)) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it resets
                    client.sendall(GET)
            return await (ask_https(port, CA) if with_tls else ask(port, GET))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert b"200 OK" in runner.run(main())
    assert caplog.records == []


async def ask_https(port: int, ca: Holder) -> bytes:
    context = ssl.create_default_context(cadata=ca.cert_pem.decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NAME)
    writer.write(GET)
    answer = await reader.read()
    writer.transport.abort()
    return answer


async def test_metrics_over_tls_follow_the_certificate(tmp_path: Path) -> None:
    tls = LiveTls(write(tmp_path, issue(CA), CA))
    async with metrics_endpoint(UP, *PLACE, HttpsContext(tls)) as port:
        assert b"200 OK" in await ask_https(port, CA)
        new_ca = authority("new CA", key=ec_key())
        write(tmp_path, issue(new_ca, Wish()), new_ca)
        tls.reload()
        assert b"200 OK" in await ask_https(port, new_ca)
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask_https(port, CA)


async def test_plaintext_request_to_the_tls_port_is_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tls = LiveTls(write(tmp_path, issue(CA), CA))
    async with metrics_endpoint(UP, *PLACE, HttpsContext(tls)) as port:
        with contextlib.suppress(ConnectionError):
            assert b"200" not in await ask(port, GET)
        assert b"200 OK" in await ask_https(port, CA)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        (b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", True),
        (b"Application/OpenMetrics-Text", True),
        (b"application/openmetrics-text; q=0, text/plain", False),
        (b"text/plain", False),
        (b"*/*", False),
    ],
)
async def test_client_gets_open_metrics_if_it_asks_for_it(accept: bytes, is_open: bool) -> None:
    pages = Pages({"/metrics": lambda: b"plain"}, open_metrics={"/metrics": lambda: b"open"})
    async with metrics_endpoint(pages, *PLACE) as port:
        answer = await ask(port, b"GET /metrics HTTP/1.1\r\nACCEPT: " + accept + b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == (b"open" if is_open else b"plain")
    assert (b"Content-Type: application/openmetrics-text; version=1.0.0" in head) == is_open
