"""A collector that takes spans over OTLP and only counts their bytes, so that it costs the machine little."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
EMPTY = b""  # an encoded ExportTraceServiceResponse


class Collector:
    """Listens on `address`; `received_bytes` counts the encoded batches."""

    def __init__(self) -> None:
        self.address = ""
        self.received_bytes = 0

    async def take(self, batch: bytes, _context: Any) -> bytes:
        """Takes one batch."""
        self.received_bytes += len(batch)
        return EMPTY


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Yields a collector on a free port of this machine."""
    collector, server = Collector(), grpc.aio.server()
    handlers: dict[str, Any] = {"Export": grpc.unary_unary_rpc_method_handler(collector.take)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    collector.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
