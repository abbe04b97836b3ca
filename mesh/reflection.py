"""gRPC server reflection, v1 and v1alpha: tools such as grpcurl and ghz read the contract from the server.

This module exists because the servicer of grpcio-reflection serves only v1alpha, and finds neither methods nor fields
nor enum values: `grpcurl describe mesh.v1.Offers.GetOffer` and every call of ghz need them. Protocol: grpc/grpc,
doc/server-reflection.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import grpc

from mesh.malformed import Malformed, parser

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor
    from grpc_reflection.v1alpha import reflection_pb2

MAX_STREAMS = 64
_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def attach(server: grpc.aio.Server, files: Sequence[FileDescriptor]) -> None:
    """Adds reflection of the services in `files`, and of reflection itself, to `server`."""
    late = _LateReflection(files)
    # The messages of both versions have the same bytes, so one handler serves both.
    handlers: dict[str, Any] = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(late.answer_all)}
    for service in _SERVICES:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        server.add_registered_method_handlers(service, handlers)


class _LateReflection:
    """Builds the reflection at its first call, because its imports and its index slow down each start."""

    def __init__(self, files: Sequence[FileDescriptor]) -> None:
        self._files = files
        self._open = 0

    async def answer_all(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answers each request of a stream; a malformed one ends it."""
        if self._open >= MAX_STREAMS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"overloaded: {MAX_STREAMS} streams are open")
        self._open += 1
        try:
            async for encoded in requests:
                request = self._parse(encoded)
                if isinstance(request, Malformed):
                    await context.abort(request.code, request.reason)
                else:
                    yield self._reflection.answer(request).SerializeToString()
        finally:
            self._open -= 1

    @cached_property
    def _reflection(self) -> Reflection:
        from grpc_reflection.v1alpha import reflection_pb2 as wire

        return Reflection((*self._files, wire.DESCRIPTOR, _stable_version(wire.DESCRIPTOR)))

    @cached_property
    def _parse(self) -> Callable[[bytes], reflection_pb2.ServerReflectionRequest | Malformed]:
        from grpc_reflection.v1alpha import reflection_pb2 as wire

        return parser(wire.ServerReflectionRequest.FromString)


class Reflection:
    """Answers requests for the services in `files` and for every symbol in these files and in their dependencies."""

    def __init__(self, files: Sequence[FileDescriptor]) -> None:
        self._services = sorted(service.full_name for file in files for service in file.services_by_name.values())
        self._files = _with_dependencies(files)
        self._symbols = {symbol: file for file in self._files.values() for symbol in _symbols(file)}
        self._messages = {message.full_name for file in self._files.values() for message in _messages_of(file)}

    def answer(self, request: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        """Returns the answer to one request; an unknown name gives an `error_response` with NOT_FOUND."""
        from grpc_reflection.v1alpha import reflection_pb2 as wire

        response = wire.ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        name = getattr(request, kind or "", "")
        if kind == "list_services":
            response.list_services_response.service.extend(map(_service, self._services))
        elif kind == "file_by_filename" and name in self._files:
            response.file_descriptor_response.file_descriptor_proto.extend(_serialized(self._files[name]))
        elif kind == "file_containing_symbol" and name in self._symbols:
            response.file_descriptor_response.file_descriptor_proto.extend(_serialized(self._symbols[name]))
        elif kind == "all_extension_numbers_of_type" and name in self._messages:
            response.all_extension_numbers_response.base_type_name = name  # proto3: no message has extensions
        else:
            response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            response.error_response.error_message = f"{kind}: this server has no such name"
        return response


def _service(name: str) -> reflection_pb2.ServiceResponse:
    from grpc_reflection.v1alpha import reflection_pb2 as wire

    return wire.ServiceResponse(name=name)


def _stable_version(alpha: FileDescriptor) -> FileDescriptor:
    """Returns the file of v1, which differs from `alpha` only in its version; grpcio-reflection does not have it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format

    proto = descriptor_pb2.FileDescriptorProto()
    alpha.CopyToProto(proto)
    text = json_format.MessageToJson(proto).replace("v1alpha", "v1")
    stable = json_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(stable.SerializeToString())
    return pool.FindFileByName(stable.name)


def _with_dependencies(files: Sequence[FileDescriptor]) -> dict[str, FileDescriptor]:
    """Returns `files` and all files that they import, by name."""
    found: dict[str, FileDescriptor] = {}
    to_visit = list(files)
    while to_visit:
        file = to_visit.pop()
        if file.name not in found:
            found[file.name] = file
            to_visit += file.dependencies
    return found


def _serialized(file: FileDescriptor) -> list[bytes]:
    return [one.serialized_pb for one in _with_dependencies([file]).values()]


def _symbols(file: FileDescriptor) -> Iterator[str]:
    """Yields the full name of each service, method, message, field, enum and enum value in `file`."""
    for service in file.services_by_name.values():
        yield service.full_name
        yield from (method.full_name for method in service.methods)
    for message in _messages_of(file):
        yield message.full_name
        yield from (f"{message.full_name}.{name}" for name in (*message.fields_by_name, *message.oneofs_by_name))
        yield from _enum_symbols(message.enum_types_by_name)
    yield from _enum_symbols(file.enum_types_by_name)


def _enum_symbols(enums: Mapping[str, EnumDescriptor]) -> Iterator[str]:
    """Yields enums and their values: a value belongs to the scope around its enum, but tools name it in the enum."""
    for enum in enums.values():
        scope, _, _ = enum.full_name.rpartition(".")
        yield enum.full_name
        for value in enum.values_by_name:
            yield from (f"{scope}.{value}", f"{enum.full_name}.{value}")


def _messages_of(file: FileDescriptor) -> Iterator[Descriptor]:
    to_visit = list(file.message_types_by_name.values())
    while to_visit:
        message = to_visit.pop()
        yield message
        to_visit += message.nested_types
