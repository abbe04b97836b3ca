"""The door that callers come in by: the gRPC server, its health, and how long a connection may last."""

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
class Door:
    """Where callers come in: the port, and the health that says whether they may."""

    port: int
    health: serving.Health


@contextlib.asynccontextmanager
async def listening(settings: Settings, service: OffersService, aging: serving.ChannelOptions) -> AsyncIterator[Door]:
    """Answers for as long as the block lasts, then lets what was admitted be answered; not SERVING until told."""
    server = grpc.aio.server(options=[*serving.server_options(serving.REQUEST_LIMIT_BYTES), *aging])
    health = serving.Health([SERVICE_NAME])
    offers_pb2_grpc.add_OffersServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    await health.attach(server)
    try:
        port = serving.bind(server, settings.host, settings.port)
    except OSError as error:
        raise Misconfigured([f"--port: {error}"]) from error
    await server.start()
    try:
        yield Door(port, health)
    finally:
        await health.set_serving(False)
        service.drain()
        await server.stop(settings.drain_s)


def aging(settings: Settings, catalogs: Sequence[Catalog]) -> serving.ChannelOptions:
    """What makes callers connect anew now and then, if that is wanted.

    The grace is for a stream that began as its connection came of age: its own age, and the time of its last answers.
    """
    if settings.max_connection_age_s is None:
        return []
    longest_s = max(catalog.budget_ms for catalog in catalogs) / 1000
    return serving.aging_options(settings.max_connection_age_s, settings.max_connection_age_s + longest_s + AGE_GRACE_S)
