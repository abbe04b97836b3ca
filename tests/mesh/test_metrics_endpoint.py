from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from mesh.errors import Misconfigured
from mesh.metrics_endpoint import metrics_endpoint


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK", b"up 1\n"),
        (b"GET /metrics?name=up HTTP/1.1", b"200 OK", b"up 1\n"),
        (b"GET / HTTP/1.0", b"200 OK", b"up 1\n"),
        (b"GET /secrets HTTP/1.1", b"404 Not Found", b""),
        (b"POST /metrics HTTP/1.1", b"405 Method Not Allowed", b""),
        (b"nonsense", b"405 Method Not Allowed", b""),
    ],
)
async def test_first_line_of_a_request_decides_the_response(request_line: bytes, status: bytes, body: bytes) -> None:
    async with metrics_endpoint(lambda: b"up 1\n", "127.0.0.1", 0) as port:
        head, _, answered = (await ask(port, request_line + b"\r\nHost: here\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert f"Content-Length: {len(body)}".encode() in head
    assert answered == body


async def test_connection_with_a_too_long_request_head_is_closed() -> None:
    async with metrics_endpoint(lambda: b"", "127.0.0.1", 0) as port:
        with contextlib.suppress(ConnectionError):
            assert await ask(port, b"GET /" + b"x" * 100_000) == b""
        assert b"200 OK" in await ask(port, b"GET / HTTP/1.1\r\n\r\n")


async def test_port_in_use_is_reported_with_its_option() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"--metrics-port: cannot listen on 127.0.0.1:{port}"):
            async with metrics_endpoint(lambda: b"", "127.0.0.1", port):
                pass
