"""Calls of unknown methods, also with paths that grpc.aio cannot decode: the server refuses them and goes on."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator

import grpc
import pytest

from loadtest.hostile.connection import Reply, Target, connected, head
from loadtest.hostile.frames import END_HEADERS, END_STREAM, HEADERS, frame
from loadtest.hostile.hpack import block
from mesh.serving import Health
from mesh.unknown_methods import new_server

NOT_UTF_8 = b"/\xff\xfe/\xfd"
CHECK, SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"
WITHIN_S = 20.0


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    server, health = new_server([]), Health([])
    await health.attach(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await health.set_serving(True)
    yield Target("127.0.0.1", port)
    await server.stop(None)


async def call(target: Target, path: bytes) -> Reply | str:
    async with connected(target) as connection:
        await connection.greet()
        headers = head("", [(b":path", path)], without=[b":path"])
        await connection.send(frame(HEADERS, END_HEADERS | END_STREAM, connection.next_stream(), block(headers)))
        return await connection.reply(1)


@pytest.mark.parametrize(
    "path", [NOT_UTF_8, b"", b"no-slash", b"/a/b", b"/grpc.health.v1.Health/Check\0", b"/" + b"a" * 4000]
)
async def test_unknown_method_is_refused_and_the_server_serves_the_next_call(
    target: Target, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    unimplemented = grpc.StatusCode.UNIMPLEMENTED.value[0]
    for _ in range(3):
        assert await call(target, path) == Reply(unimplemented, "this server has no such method")
    async with connected(target) as connection:
        await connection.greet()
        answer = await connection.call(CHECK, b"")
    assert isinstance(answer, Reply)
    assert (answer.status, answer.body[5:]) == (0, SERVING)
    assert not caplog.records


async def test_calls_of_unknown_methods_leave_no_tasks(target: Target) -> None:
    before = len(asyncio.all_tasks())
    await asyncio.gather(*(call(target, b"/a/b") for _ in range(50)))
    async with asyncio.timeout(WITHIN_S):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 (grpc.aio has no event for it)
            await asyncio.sleep(0.01)


async def test_process_stops_if_the_server_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", signals.append)
    server = new_server([])
    await Health([]).attach(server)
    server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def fail() -> None:
        raise ValueError("broken")

    failed = asyncio.ensure_future(fail())
    await asyncio.wait([failed])
    with caplog.at_level(logging.ERROR):
        server._server._serving_task_crash_handler(failed)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="broken"):
        await server.wait_for_termination(WITHIN_S)
    assert signals == [signal.SIGTERM]
    assert "this process stops" in caplog.text
