"""An OTLP receiver on a real socket, with the official protobufs: it keeps every span that arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WITHIN_S = 30.0


class Received(NamedTuple):
    """A span, its attributes as Python values, and the name of its service."""

    span: Span
    attributes: dict[str, Any]
    service: str

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()


class Receiver(TraceServiceServicer):
    """Receives spans on `address`."""

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[Received] = []
        self._arrived = asyncio.Event()

    async def Export(self, request: otlp.ExportTraceServiceRequest, _context: object) -> Any:
        for resource in request.resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [Received(span, _values(span.attributes), service) for span in scope.spans]
        self._arrived.set()
        return otlp.ExportTraceServiceResponse()

    def named(self, prefix: str) -> list[Received]:
        """The spans whose names begin with `prefix`."""
        return [one for one in self.spans if one.span.name.startswith(prefix)]

    async def until(self, fact: Callable[[], bool]) -> None:
        """Waits until spans have arrived that make `fact` true."""
        async with asyncio.timeout(WITHIN_S):
            while not fact():
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[Receiver]:
    """Yields a receiver on a free port of this machine."""
    receiver, server = Receiver(), grpc.aio.server()
    add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]
    receiver.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield receiver
    finally:
        await server.stop(None)


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
