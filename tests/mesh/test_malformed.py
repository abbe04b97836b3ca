"""Bytes that cannot be parsed as a message get INVALID_ARGUMENT, and leave no line in the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from mesh import reflection
from mesh.checking_server import CheckingServer
from mesh.malformed import Malformed, parser
from mesh.serving import Health
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc

NO_MESSAGE = b"\xff"
HEALTH, INFERENCE = "/grpc.health.v1.Health/", "/inference.GRPCInferenceService/"
REFLECTION = ("v1", "v1alpha")


class Live(inference_pb2_grpc.GRPCInferenceServiceServicer):
    async def ServerLive(self, _request: oip.ServerLiveRequest, _context: object) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    await Health([]).attach(server)
    reflection.attach(server, (health_pb2.DESCRIPTOR,))
    inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Live(), CheckingServer(server))  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


def unary(channel: Any, path: str) -> Callable[[bytes], Any]:
    return lambda body: channel.unary_unary(path)(body)


def streamed(channel: Any, path: str) -> Callable[[bytes], Any]:
    return lambda body: channel.stream_stream(path)(iter([body]))


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (unary, f"{INFERENCE}ServerLive"),
        (unary, f"{HEALTH}Check"),
        (streamed, f"{HEALTH}Watch"),
        *((streamed, f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo") for version in REFLECTION),
    ],
)
async def test_bytes_that_cannot_be_parsed_get_invalid_argument_and_no_line_in_the_log(
    channel: Any,
    kind: Callable[[Any, str], Callable[[bytes], Any]],
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        call = kind(channel, path)(NO_MESSAGE)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await call.details() or "").startswith("the request is not an encoded ")
    assert not caplog.records


async def test_parsed_request_gets_its_response(channel: Any) -> None:
    response = await channel.unary_unary(f"{INFERENCE}ServerLive")(b"")
    assert oip.ServerLiveResponse.FromString(response).live


def test_parser_names_the_message() -> None:
    parse = parser(oip.ModelReadyRequest.FromString)
    assert parse(NO_MESSAGE) == Malformed("the request is not an encoded inference.ModelReadyRequest")
    assert parse(b"\x0a\x01a") == oip.ModelReadyRequest(name="a")
