"""Server reflection, asked as grpcurl and ghz ask: by v1 and v1alpha, for every kind of symbol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2 as wire

from mesh import reflection
from mesh.wire import inference_pb2, offers_pb2

FILES = (offers_pb2.DESCRIPTOR, inference_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
VERSIONS = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
WITHIN_S = 20.0


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    reflection.attach(server, FILES)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def ask(channel: grpc.aio.Channel, version: str, **request: Any) -> wire.ServerReflectionResponse:
    """Sends one request on a stream and returns its answer."""
    call = channel.stream_stream(
        f"/{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=wire.ServerReflectionRequest.SerializeToString,
        response_deserializer=wire.ServerReflectionResponse.FromString,
    )(iter([wire.ServerReflectionRequest(**request)]), timeout=WITHIN_S)
    (answer,) = [answer async for answer in call]
    assert isinstance(answer, wire.ServerReflectionResponse)
    return answer


def rebuilt(files: Iterable[bytes]) -> descriptor_pool.DescriptorPool:
    """Builds the descriptors as a client does, from the files of an answer alone."""
    protos = {proto.name: proto for proto in map(descriptor_pb2.FileDescriptorProto.FromString, files)}
    pool = descriptor_pool.DescriptorPool()

    def add(name: str) -> None:
        for dependency in protos[name].dependency:
            add(dependency)
        pool.Add(protos[name])

    for name in protos:
        add(name)
    return pool


@pytest.mark.parametrize("version", VERSIONS)
async def test_both_versions_list_all_services(channel: grpc.aio.Channel, version: str) -> None:
    answer = await ask(channel, version, list_services="*")
    assert [service.name for service in answer.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
        "mesh.v1.Offers",
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("mesh.v1.Offers", "offers.proto"),
        ("mesh.v1.Offers.GetOffer", "offers.proto"),
        ("mesh.v1.GetOfferRequest", "offers.proto"),
        ("mesh.v1.GetOfferRequest.player_id", "offers.proto"),
        ("mesh.v1.GetOfferRequest.ContextEntry", "offers.proto"),
        ("mesh.v1.ContextValue.kind", "offers.proto"),
        ("mesh.v1.Source", "offers.proto"),
        ("mesh.v1.PARTIAL", "offers.proto"),
        ("mesh.v1.Source.PARTIAL", "offers.proto"),
        ("inference.GRPCInferenceService.ModelInfer", "inference.proto"),
        ("inference.ModelInferRequest.InferInputTensor.shape", "inference.proto"),
        ("inference.TYPE_FP64", "inference.proto"),
        ("grpc.health.v1.HealthCheckResponse.SERVING", "health.proto"),
        ("grpc.reflection.v1.ServerReflection.ServerReflectionInfo", "reflection/v1/reflection.proto"),
        ("grpc.reflection.v1alpha.ServerReflection", "reflection/v1alpha/reflection.proto"),
    ],
)
async def test_file_of_every_kind_of_symbol_is_found(
    channel: grpc.aio.Channel, version: str, symbol: str, file: str
) -> None:
    answer = await ask(channel, version, file_containing_symbol=symbol)
    first = descriptor_pb2.FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
    assert first.name.endswith(file)


@pytest.mark.parametrize("version", VERSIONS)
async def test_client_can_build_a_service_from_the_answer_alone(channel: grpc.aio.Channel, version: str) -> None:
    for service in (await ask(channel, version, list_services="*")).list_services_response.service:
        answer = await ask(channel, version, file_containing_symbol=service.name)
        pool = rebuilt(answer.file_descriptor_response.file_descriptor_proto)
        assert pool.FindServiceByName(service.name).methods


async def test_file_is_found_by_its_name(channel: grpc.aio.Channel) -> None:
    name = offers_pb2.DESCRIPTOR.name
    answer = await ask(channel, VERSIONS[0], file_by_filename=name)
    assert list(answer.file_descriptor_response.file_descriptor_proto) == [offers_pb2.DESCRIPTOR.serialized_pb]


async def test_message_has_no_extensions(channel: grpc.aio.Channel) -> None:
    answer = await ask(channel, VERSIONS[0], all_extension_numbers_of_type="mesh.v1.Timings")
    assert answer.all_extension_numbers_response.base_type_name == "mesh.v1.Timings"


@pytest.mark.parametrize(
    "request_",
    [
        {"file_containing_symbol": "mesh.v1.Offers.Nothing"},
        {"file_by_filename": "nothing.proto"},
        {"all_extension_numbers_of_type": "mesh.v1.Nothing"},
        {"file_containing_extension": {"containing_type": "mesh.v1.Timings", "extension_number": 1}},
        {},
    ],
)
async def test_unknown_name_is_answered_with_not_found(channel: grpc.aio.Channel, request_: dict[str, Any]) -> None:
    answer = await ask(channel, VERSIONS[0], **request_)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answer.original_request == wire.ServerReflectionRequest(**request_)
