"""The gRPC server for game backends: its port, its health, and the age limit of connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2

from mesh import reflection, serving
from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured
from mesh.port_check import listen_fault
from mesh.unknown_methods import new_server
from mesh.wire import offers_pb2
from supervisor.intake import Intake
from supervisor.service import SERVICE_NAME, OffersService
from supervisor.settings import Settings

if TYPE_CHECKING:
    from mesh.tls.live import LiveTls  # not imported without TLS: its imports slow down each start

AGE_GRACE_S = 1.0


@dataclass(frozen=True, slots=True)
class GrpcServer:
    """A server that listens on `port`, and on `token_port` if the settings have one.

    `health` is NOT_SERVING until it is set.
    """

    port: int
    token_port: int | None
    health: serving.Health


@contextlib.asynccontextmanager
async def grpc_server(
    settings: Settings,
    service: OffersService,
    connection_options: serving.ChannelOptions,
    on_refusal: Callable[[], None] = lambda: None,
    tls: LiveTls | None = None,
    health: serving.Health | None = None,
) -> AsyncIterator[GrpcServer]:
    """Serves `service` while the block lasts, then drains: accepted requests have `settings.drain_s` for their answers.

    `settings.servers` servers of grpc.aio share the port; the kernel distributes the connections, so that each server
    has a queue of its own (docs/decisions/0003-grpc-settings.md). `on_refusal` is called for each call that is refused
    before its request is read. Without `tls`, the port is plaintext. Callers of the token port show no certificate, so
    they have no peer names. Raises Misconfigured if the servers cannot listen
    on the address.
    """
    servers = [_new_server(settings, connection_options) for _ in range(settings.servers)]
    health = health or serving.Health([SERVICE_NAME])
    for server in servers:
        service.attach(server)
        await health.attach(server)
        if not settings.no_reflection:
            reflection.attach(server, (offers_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR))
    port, token_port = _bind(servers, settings, tls)
    intake = Intake(service.unary_methods, lambda: service.longest_s, on_refusal, admit=service.admit)
    for server in servers:
        intake.claim(server)
        await server.start()
        intake.start(server)
    try:
        yield GrpcServer(port, token_port, health)
    finally:
        await health.set_serving(False)
        service.drain()
        intake.drain()
        await asyncio.gather(*(server.stop(settings.drain_s) for server in servers))
        await intake.close()


def _new_server(settings: Settings, connection_options: serving.ChannelOptions) -> grpc.aio.Server:
    options = serving.server_options(serving.REQUEST_LIMIT_BYTES, servers=settings.servers)
    return new_server(list(dict([*options, *connection_options]).items()))  # gRPC takes the first of two


def _bind(servers: Sequence[grpc.aio.Server], settings: Settings, tls: LiveTls | None) -> tuple[int, int | None]:
    """Binds every server to the same ports and returns them: the port, and the one for callers with tokens."""
    check_ports(settings)
    try:
        credentials = [None if tls is None else tls.server_credentials() for _ in servers]
        port = _shared_port(servers, settings.host, settings.port, credentials)
    except OSError as error:
        raise Misconfigured([f"--port: {error}"]) from error
    if tls is None or settings.token_port is None:
        return port, None
    try:
        credentials = [tls.server_credentials(require_client=False) for _ in servers]
        return port, _shared_port(servers, settings.host, settings.token_port, credentials)
    except OSError as error:
        raise Misconfigured([f"--token-port: {error}"]) from error


def _shared_port(
    servers: Sequence[grpc.aio.Server], host: str, port: int, credentials: Sequence[grpc.ServerCredentials | None]
) -> int:
    for server, of_server in zip(servers, credentials, strict=True):
        port = serving.bind(server, host, port, of_server)
    return port


def check_ports(settings: Settings) -> None:
    """Raises Misconfigured if another process listens on a port.

    Sockets with SO_REUSEPORT would share the port with another process that has set it, too.
    """
    for option, port in (("--port", settings.port), ("--token-port", settings.token_port)):
        fault = None if port is None else listen_fault(settings.host, port)
        if fault is not None:
            raise Misconfigured([f"{option}: cannot listen on {settings.host}:{port}: {fault}"])


def connection_age_options(settings: Settings, catalogs: Sequence[Catalog]) -> serving.ChannelOptions:
    """Server options that limit the age of a connection; none if `settings` set no limit.

    A stream may begin just before its connection reaches the limit, so the grace covers the age of the stream and the
    time of its last answers.
    """
    if settings.max_connection_age_s is None:
        return []
    longest_s = max(catalog.budget_ms for catalog in catalogs) / 1000
    return serving.aging_options(settings.max_connection_age_s, settings.max_connection_age_s + longest_s + AGE_GRACE_S)
