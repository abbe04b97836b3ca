"""The gRPC server for game backends: its port, its health, and the age limit of connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc

from mesh import serving
from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured
from mesh.wire import offers_pb2_grpc
from supervisor.service import SERVICE_NAME, OffersService
from supervisor.settings import Settings

AGE_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class GrpcServer:
    """A server that listens on `port`; `health` is NOT_SERVING until it is set."""

    port: int
    health: serving.Health


@contextlib.asynccontextmanager
async def grpc_server(
    settings: Settings, service: OffersService, connection_options: serving.ChannelOptions
) -> AsyncIterator[GrpcServer]:
    """Serves `service` while the block lasts, then drains: accepted requests have `settings.drain_s` for their answers.

    Raises Misconfigured if it cannot listen on the address.
    """
    server = grpc.aio.server(options=[*serving.server_options(serving.REQUEST_LIMIT_BYTES), *connection_options])
    health = serving.Health([SERVICE_NAME])
    offers_pb2_grpc.add_OffersServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    await health.attach(server)
    try:
        port = serving.bind(server, settings.host, settings.port)
    except OSError as error:
        raise Misconfigured([f"--port: {error}"]) from error
    await server.start()
    try:
        yield GrpcServer(port, health)
    finally:
        await health.set_serving(False)
        service.drain()
        await server.stop(settings.drain_s)


def connection_age_options(settings: Settings, catalogs: Sequence[Catalog]) -> serving.ChannelOptions:
    """Server options that limit the age of a connection; none if `settings` set no limit.

    A stream may begin just before its connection reaches the limit, so the grace covers the age of the stream and the
    time of its last answers.
    """
    if settings.max_connection_age_s is None:
        return []
    longest_s = max(catalog.budget_ms for catalog in catalogs) / 1000
    return serving.aging_options(settings.max_connection_age_s, settings.max_connection_age_s + longest_s + AGE_GRACE_S)
