"""A worker with TLS: only the supervisors that it names may call it; everybody may ask for its health."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mesh import reflection, serving
from mesh.checking_server import CheckingServer
from mesh.tls.live import LiveTls
from mesh.tls.throwaway import Authority, files_in, new_authority, write_pem
from mesh.tls.trust import Trust
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker.identity import Identity
from model_worker.peers import SupervisorsOnly
from model_worker.queue import QueueLimits, running_queue
from model_worker.service import SERVICE, InferenceService
from tests.model_worker.fakes import GatedForest, rows
from tests.model_worker.requests import raw_request
from tests.model_worker.test_service import HEADER, LIGHTGBM

WORKER, SUPERVISOR, SPIFFE = "worker.demo.mesh", "supervisor.demo.mesh", "spiffe://studio.example/supervisor"
STRANGERS = [(WORKER,), ("supervisor.other.mesh",), ("spiffe://studio.example/worker",), ("SUPERVISOR.demo.mesh.x",)]
WITHIN_S = 20.0


@dataclass
class Worker:
    """The services of a worker on a real port with TLS."""

    folder: Path
    address: str
    refused: list[str]
    tls: LiveTls

    def change_cas(self, *authorities: Authority) -> None:
        """Puts other CAs into the CA file of the worker, which reads it."""
        pem = b"".join(one.cert for one in authorities)
        write_pem(files_in(self.folder / "worker", "worker").ca, pem)
        self.tls.reload()

    @asynccontextmanager
    async def channel(self, *names: str) -> AsyncIterator[grpc.aio.Channel]:
        """A channel of a peer whose certificate has `names`."""
        files = files_in(self.folder / "peer", "peer")
        AUTHORITY.write(files, names)
        options = [*serving.lane_options(), ("grpc.ssl_target_name_override", WORKER)]
        async with grpc.aio.secure_channel(self.address, LiveTls(files).channel_credentials(), options) as channel:
            yield channel


AUTHORITY = new_authority()


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    refused = list[str]()
    files = files_in(tmp_path / "worker", "worker")
    AUTHORITY.write(files, (WORKER,))
    forest = GatedForest()
    forest.gate.set()
    tls = LiveTls(files)
    interceptors = [SupervisorsOnly((SUPERVISOR, SPIFFE), Trust(tls), refused.append)]
    server = grpc.aio.server(interceptors=interceptors, options=serving.server_options(serving.MESSAGE_LIMIT_BYTES))
    async with running_queue(forest, QueueLimits(4, 8), lambda _batch: None, drain_s=30) as queue:
        service = InferenceService(
            Identity("forest", HEADER, "c0ffee", LIGHTGBM), queue, forest.table, 4, refused.append
        )
        inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(service, CheckingServer(server))  # type: ignore[no-untyped-call]
        health = serving.Health([SERVICE])
        await health.attach(server)
        reflection.attach(server, (oip.DESCRIPTOR, health_pb2.DESCRIPTOR))
        port = serving.bind(server, "127.0.0.1", 0, tls.server_credentials())
        await server.start()
        yield Worker(tmp_path, f"127.0.0.1:{port}", refused, tls)
        await server.stop(None)


async def infer(channel: grpc.aio.Channel) -> None:
    stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
    response = await stub.ModelInfer(raw_request(rows(1.0), (1, 2)), timeout=WITHIN_S)
    assert response.model_name == "forest"


async def ask_metadata(channel: grpc.aio.Channel) -> None:
    stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
    assert (await stub.ModelMetadata(oip.ModelMetadataRequest(name="forest"), timeout=WITHIN_S)).name == "forest"


async def stream(channel: grpc.aio.Channel) -> None:
    stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
    call = stub.ModelStreamInfer(iter([raw_request(rows(1.0), (1, 2))]), timeout=WITHIN_S)
    assert [reply.error_message async for reply in call] == [""]


async def reflect(channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (response,) = [one async for one in stub.ServerReflectionInfo(iter([request]), timeout=WITHIN_S)]
    assert len(response.list_services_response.service) > 1


async def read_stream(channel: grpc.aio.Channel) -> None:
    stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
    await stub.ModelStreamInfer(timeout=WITHIN_S).read()


async def read_reflection(channel: grpc.aio.Channel) -> None:
    await reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=WITHIN_S).read()


CALLS: list[Callable[[grpc.aio.Channel], Awaitable[None]]] = [infer, ask_metadata, stream, reflect]
# A stream that is refused while its client writes may end with INTERNAL at the client (grpc/grpc#36066).
UNWRITTEN_CALLS = [infer, ask_metadata, read_stream, read_reflection]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", [SUPERVISOR, SPIFFE])
async def test_named_supervisor_may_call(
    worker: Worker, name: str, call: Callable[[grpc.aio.Channel], Awaitable[None]]
) -> None:
    async with worker.channel("other.mesh", name) as channel:
        await call(channel)
    assert worker.refused == []


@pytest.mark.parametrize("call", UNWRITTEN_CALLS)
@pytest.mark.parametrize("names", STRANGERS)
async def test_other_peer_may_not_call(
    worker: Worker, names: tuple[str, ...], call: Callable[[grpc.aio.Channel], Awaitable[None]]
) -> None:
    async with worker.channel(*names) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=f"--tls-supervisor \\({SPIFFE}|{SUPERVISOR}\\)") as error:
            await call(channel)
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert worker.refused == ["PERMISSION_DENIED"]


async def test_request_of_another_peer_is_not_parsed(worker: Worker) -> None:
    assert [await status_of_garbage(worker, name) for name in (SUPERVISOR, WORKER)] == [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
    ]


async def status_of_garbage(worker: Worker, name: str) -> Any:
    async with worker.channel(name) as channel:
        ask: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await ask(b"\xff\xff not a message", timeout=WITHIN_S)
        return error.value.code()


async def test_everybody_may_ask_for_the_health(worker: Worker) -> None:
    async with worker.channel("client.mesh") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        response = await stub.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN_S)
    assert response.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_refused_calls_are_logged_once_in_a_while(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    async with worker.channel(WORKER) as channel:
        for _ in range(5):
            with pytest.raises(grpc.aio.AioRpcError):
                await ask_metadata(channel)
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(messages) == 1
    assert "ModelMetadata" in messages[0]
    assert "'worker.demo.mesh'" in messages[0]
    assert len(worker.refused) == 5


async def status_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_removed_ca_ends_open_streams_and_refuses_calls_on_open_connections(worker: Worker) -> None:
    new_ca = new_authority(name="new CA")
    async with worker.channel(SUPERVISOR) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.ModelStreamInfer(timeout=WITHIN_S)
        await call.write(raw_request(rows(1.0), (1, 2)))
        assert (await call.read()).error_message == ""
        worker.change_cas(AUTHORITY, new_ca)
        await call.write(raw_request(rows(1.0), (1, 2)))
        assert (await call.read()).error_message == ""  # a CA that is added ends nothing
        await infer(channel)
        worker.change_cas(new_ca)
        assert await status_of(call.read()) == "UNAUTHENTICATED"
        for method in (infer, ask_metadata, stream):
            assert await status_of(method(channel)) == "UNAUTHENTICATED"
        worker.change_cas(new_ca, AUTHORITY)
        await stream(channel)
    assert set(worker.refused) == {"UNAUTHENTICATED"}


async def test_removed_ca_ends_only_the_streams_of_its_certificates(worker: Worker) -> None:
    new_ca = new_authority(name="new CA")
    worker.change_cas(AUTHORITY, new_ca)
    files = files_in(worker.folder / "new", "peer")
    new_ca.write(files, (SUPERVISOR,))
    write_pem(files.ca, AUTHORITY.cert)  # that of the worker's own certificate
    options = [*serving.lane_options(), ("grpc.ssl_target_name_override", WORKER)]
    async with grpc.aio.secure_channel(worker.address, LiveTls(files).channel_credentials(), options) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.ModelStreamInfer(timeout=WITHIN_S)
        await call.write(raw_request(rows(1.0), (1, 2)))
        assert (await call.read()).error_message == ""
        worker.change_cas(new_ca)
        await call.write(raw_request(rows(1.0), (1, 2)))
        assert (await call.read()).error_message == ""
        await call.done_writing()
    assert worker.refused == []
