"""How both services stand on the network: gRPC settings, health, reflection, start and drain."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Literal

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

LoopKind = Literal["uvloop", "asyncio"]
ChannelOptions = list[tuple[str, Any]]

MESSAGE_LIMIT_BYTES = 16 * 2**20
REQUEST_LIMIT_BYTES = 256 * 2**10


def server_options(message_limit_bytes: int) -> ChannelOptions:
    """The settings of a server that must not be surprised (docs/decisions/0003-grpc-settings.md)."""
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", 1024),
        ("grpc.max_receive_message_length", message_limit_bytes),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_metadata_size", 8192),
        ("grpc.server_handshake_timeout_ms", 5000),
        ("grpc.max_allowed_incoming_connections", 4096),
        # A lane's keepalive must never count as an attack: a strike would cost it the connection.
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # What gRPC holds back while the loop is busy is answered late: better refused, so that the caller can act.
        ("grpc.server_max_unrequested_time_in_server", 1),
        ("grpc.server.max_pending_requests", 512),
        ("grpc.server.max_pending_requests_hard_limit", 1024),
    ]


def aging_options(age_s: float, grace_s: float) -> ChannelOptions:
    """Has clients connect anew after `age_s` (gRPC adds its own jitter); their calls have `grace_s` to be answered.

    A stream is a call too: one that is still open after the grace is cut.
    """
    return [
        ("grpc.max_connection_age_ms", round(age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", round(grace_s * 1000)),
    ]


def lane_options() -> ChannelOptions:
    """The settings of a channel to one replica: quick to notice a loss, quick to come back."""
    return [
        ("grpc.lb_policy_name", "pick_first"),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.keepalive_time_ms", 2000),
        ("grpc.keepalive_timeout_ms", 1000),
        # Internal to gRPC, and the one that counts: without it a frozen peer is kept for 60 s.
        ("grpc.http2.ping_timeout_ms", 1000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.bdp_probe", 0),  # pings that measure bandwidth: our messages are small
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ]


def bind(server: grpc.aio.Server, host: str, port: int) -> int:
    """Binds `server`; port 0 lets the system pick. Returns the port; raises OSError when it is taken."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise OSError(f"cannot listen on {address}: it is taken, or not an address of this machine")
    return bound


def bind_socket(server: grpc.aio.Server, path: str) -> None:
    """Binds `server` to the Unix socket at `path`; raises OSError when that cannot be."""
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise OSError(
            f"cannot listen on the Unix socket {path}: its folder is missing, or the path too long"
        ) from error


class Health:
    """`grpc.health.v1` for the whole server and for each service named; NOT_SERVING until told otherwise."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = ("", *services)
        self._servicer = health.aio.HealthServicer()

    async def attach(self, server: grpc.aio.Server) -> None:
        """Adds the health service and server reflection to `server`."""
        await self.set_serving(False)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        server.add_generic_rpc_handlers((_LateReflection((*self._services[1:], health.SERVICE_NAME)),))

    async def set_serving(self, serving: bool) -> None:
        """Tells every watcher."""
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if serving else states.NOT_SERVING
        for service in self._services:
            await self._servicer.set(service, status)


class _LateReflection(grpc.GenericRpcHandler):
    """Server reflection of `services`, imported when somebody first asks: few do, and each start would pay."""

    service_name = "grpc.reflection.v1alpha.ServerReflection"

    def __init__(self, services: Sequence[str]) -> None:
        self._services = (*services, self.service_name)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method != f"/{self.service_name}/ServerReflectionInfo":
            return None
        from grpc_reflection.v1alpha import reflection, reflection_pb2

        return grpc.stream_stream_rpc_method_handler(
            reflection.aio.ReflectionServicer(self._services).ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )


def run(main: Coroutine[Any, Any, int], loop: LoopKind) -> int:
    """Runs a service to its end on one event loop and returns its exit code."""
    if loop == "asyncio":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextlib.asynccontextmanager
async def stop_signal() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, for as long as the block lasts."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def settle_heap() -> None:
    """After start-up: what lives now lives for ever, so the collector need not look at it again."""
    gc.collect(1)  # the young ones: to look at all would be 15 ms of a start
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def follow_parent() -> None:
    """Asks the kernel to send SIGTERM when the parent dies, so that it leaves no orphan (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)
