"""The gRPC server: several servers of grpc.aio on one port, and a bounded queue in front of each."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh import serving
from mesh.errors import Misconfigured
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor.grpc_server import grpc_server
from supervisor.settings import read_settings
from tests.supervisor.backend import ask, backend

pytestmark = pytest.mark.whole_machine  # real time limits

CONNECTIONS = 24
SHORT_QUEUE = [("grpc.server.max_pending_requests", 4), ("grpc.server.max_pending_requests_hard_limit", 8)]


def settings(*options: str) -> Any:
    return read_settings(["--catalog", "unused", "--drain-s", "5", *options])


def checked(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)


async def channels(stack: AsyncExitStack, port: int, count: int = CONNECTIONS) -> list[grpc.aio.Channel]:
    """Channels with a connection each."""
    opened = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=serving.lane_options()) for _ in range(count)]
    return [await stack.enter_async_context(channel) for channel in opened]


@pytest.mark.parametrize("servers", ["1", "4"])
async def test_every_connection_gets_answers_and_the_same_health(tmp_path: Path, servers: str) -> None:
    async with (
        backend(tmp_path) as running,
        AsyncExitStack() as stack,
        grpc_server(settings("--servers", servers), running.service, []) as server,
    ):
        opened = await channels(stack, server.port)
        for serves, status in ((False, "NOT_SERVING"), (True, "SERVING")):
            await server.health.set_serving(serves)
            found = await asyncio.gather(*map(checked, opened))
            assert {health_pb2.HealthCheckResponse.ServingStatus.Name(one.status) for one in found} == {status}
        stubs = [offers_pb2_grpc.OffersStub(channel) for channel in opened]  # type: ignore[no-untyped-call]
        answers = await asyncio.gather(*(stub.GetOffer(ask(), timeout=20) for stub in stubs))
        assert {answer.source for answer in answers} == {wire.ENSEMBLE}


async def test_every_server_refuses_calls_after_the_drain(tmp_path: Path) -> None:
    async with backend(tmp_path) as running, AsyncExitStack() as stack:
        async with grpc_server(settings(), running.service, []) as server:
            opened = await channels(stack, server.port)
            await asyncio.gather(*map(checked, opened))
        codes = [await code_of(checked(channel)) for channel in opened]
        assert set(codes) == {"UNAVAILABLE"}


@pytest.mark.parametrize("servers", ["1", "4"])
async def test_port_that_another_socket_shares_is_refused(tmp_path: Path, servers: str) -> None:
    async with backend(tmp_path) as running:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(
                Misconfigured, match=f"--port: cannot listen on 127.0.0.1:{port}: Address already in use"
            ):
                async with grpc_server(settings("--servers", servers, "--port", str(port)), running.service, []):
                    pass


async def test_full_queue_refuses_unary_calls_and_serves_streams_and_health_checks(tmp_path: Path) -> None:
    async with backend(tmp_path) as running, AsyncExitStack() as stack:
        async with grpc_server(settings("--servers", "1"), running.service, SHORT_QUEUE) as server:
            flooding, calm = await channels(stack, server.port, 2)
            await server.health.set_serving(True)
            stream = offers_pb2_grpc.OffersStub(calm).StreamOffers(timeout=20)  # type: ignore[no-untyped-call]
            await stream.write(ask(request_id="first"))
            assert (await stream.read()).request_id == "first"
            stub = offers_pb2_grpc.OffersStub(flooding)  # type: ignore[no-untyped-call]
            flood = asyncio.gather(*(code_of(stub.GetOffer(ask(), timeout=20)) for _ in range(400)))
            asyncio.get_running_loop().call_soon(time.sleep, 0.5)  # the loop is busy when the calls arrive
            await stream.write(ask(request_id="beside"))
            assert (await checked(calm)).status == health_pb2.HealthCheckResponse.SERVING
            assert (await stream.read()).source == wire.ENSEMBLE
            await stream.done_writing()
            codes = Counter(await flood)
        assert codes.keys() == {"OK", "CANCELLED"}


@pytest.mark.parametrize("servers", ["1", "4"])
async def test_burst_on_one_connection_is_answered(tmp_path: Path, servers: str) -> None:
    async with backend(tmp_path) as running, AsyncExitStack() as stack:
        async with grpc_server(settings("--servers", servers), running.service, []) as server:
            (channel,) = await channels(stack, server.port, 1)
            stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
            answers = await asyncio.gather(*(stub.GetOffer(ask(), timeout=20) for _ in range(500)))
        assert {answer.source for answer in answers} == {wire.ENSEMBLE}


async def test_stream_gets_whole_answers_beside_a_flood_of_unary_calls(tmp_path: Path) -> None:
    async with backend(tmp_path) as running, AsyncExitStack() as stack:
        async with grpc_server(settings(), running.service, []) as server:
            *flooding, calm = await channels(stack, server.port, 5)
            await server.health.set_serving(True)
            stream = offers_pb2_grpc.OffersStub(calm).StreamOffers(timeout=20)  # type: ignore[no-untyped-call]
            stubs = [offers_pb2_grpc.OffersStub(channel) for channel in flooding]  # type: ignore[no-untyped-call]
            flood = asyncio.gather(*(code_of(stub.GetOffer(ask(), timeout=20)) for stub in stubs for _ in range(300)))
            for number in range(100):
                await stream.write(ask(request_id=str(number)))
            assert (await checked(calm)).status == health_pb2.HealthCheckResponse.SERVING
            answers = [await stream.read() for _ in range(100)]
            await stream.done_writing()
            assert set(await flood) <= {"OK", "CANCELLED"}  # several connections may share the queue of a server
        assert {answer.request_id for answer in answers} == {str(number) for number in range(100)}
        assert {answer.source for answer in answers} == {wire.ENSEMBLE}


async def code_of(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"
