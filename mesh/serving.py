"""What both services need to serve gRPC: channel settings, health, event loop, stop signals."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Literal

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from mesh.address import host_and_port
from mesh.checking_server import CheckingServer

LoopKind = Literal["uvloop", "asyncio"]
ChannelOptions = list[tuple[str, Any]]

MESSAGE_LIMIT_BYTES = 16 * 2**20
REQUEST_LIMIT_BYTES = 256 * 2**10
MAX_STREAMS = 384  # open calls of a connection
MAX_UNRELEASED = 256  # more of them that have ended, and whose end the event loop has not seen yet
MAX_PENDING = MAX_STREAMS + MAX_UNRELEASED  # calls that wait for the event loop: one connection cannot fill the queue
MAX_PENDING_HARD = 1024
HANDSHAKE_S = 5.0
IDLE_S = 300.0
MAX_CONNECTIONS = 4096  # of a process, to its gRPC port
OTHER_FILES = 512  # lanes, stores, models, logs
MIN_CONNECTIONS = 64
CONNECT_S = 1.5
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl(2)


def server_options(message_limit_bytes: int, *, servers: int = 1) -> ChannelOptions:
    """gRPC settings of one of `servers` servers on a port: limits and keepalive (docs/decisions/0003-grpc-settings.md).

    While more than `MAX_PENDING` calls of a method wait for the event loop, gRPC refuses some of the new calls, and all
    above `MAX_PENDING_HARD`, with CANCELLED. Several servers can listen on one port: check with `mesh.port_check` that
    no other process uses it.
    """
    return [
        ("grpc.so_reuseport", int(servers > 1)),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.http2.max_deallocating_streams", MAX_UNRELEASED),
        ("grpc.max_receive_message_length", message_limit_bytes),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_metadata_size", 8192),
        ("grpc.server_handshake_timeout_ms", round(1000 * HANDSHAKE_S)),
        # gRPC limits metadata only after the client has acknowledged the server\'s settings.
        ("grpc.http2.settings_timeout", round(1000 * HANDSHAKE_S)),
        ("grpc.max_allowed_incoming_connections", connection_limit() // servers),
        ("grpc.max_connection_idle_ms", round(1000 * IDLE_S)),
        # Without this, the server closes a connection whose lane sends many keepalive pings.
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # While the loop is busy, gRPC queues calls. It is better to refuse them than to answer after their deadline.
        ("grpc.server_max_unrequested_time_in_server", 1),
        ("grpc.server.max_pending_requests", MAX_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING_HARD),
    ]


def connection_limit() -> int:
    """Returns the number of connections that the process may accept; leaves files for everything else.

    Raises the soft limit of open files as far as the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft - OTHER_FILES, soft // 2))


def aging_options(age_s: float, grace_s: float) -> ChannelOptions:
    """Makes clients reconnect after `age_s` (gRPC adds jitter); open calls have `grace_s` to finish.

    This includes streams: gRPC cancels a stream that is still open after `grace_s`.
    """
    return [
        ("grpc.max_connection_age_ms", round(age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", round(grace_s * 1000)),
    ]


def lane_options(connect_s: float = CONNECT_S) -> ChannelOptions:
    """gRPC settings of a channel to one replica: it detects a lost connection and reconnects quickly.

    An attempt to connect may take `connect_s`.
    """
    return [
        ("grpc.lb_policy_name", "pick_first"),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", round(1000 * connect_s)),  # only the time limit of an attempt
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.keepalive_time_ms", 2000),
        ("grpc.keepalive_timeout_ms", 1000),
        # An internal setting of gRPC. Without it, gRPC keeps the connection to a frozen peer for 60 s.
        ("grpc.http2.ping_timeout_ms", 1000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.bdp_probe", 0),  # no pings to measure bandwidth: our messages are small
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ]


def bind(server: grpc.aio.Server, host: str, port: int, credentials: grpc.ServerCredentials | None = None) -> int:
    """Binds `server` and returns the port; port 0 lets the system pick. Raises OSError when the port is in use.

    Without `credentials`, the port is plaintext.
    """
    address = host_and_port(host, port)
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise OSError(f"cannot listen on {address}: the port is in use, or the address is not of this machine")
    return bound


def bind_socket(server: grpc.aio.Server, path: str, credentials: grpc.ServerCredentials | None = None) -> None:
    """Binds `server` to the Unix socket at `path`, plaintext without `credentials`; raises OSError when this fails."""
    try:
        if credentials is None:
            server.add_insecure_port(f"unix:{path}")
        else:
            server.add_secure_port(f"unix:{path}", credentials)
    except RuntimeError as error:
        raise OSError(
            f"cannot listen on the Unix socket {path}: its folder is missing, or the path is too long"
        ) from error


class Health:
    """`grpc.health.v1` for the whole server and for each of `services`; NOT_SERVING until `set_serving(True)`."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = ("", *services)
        self._servicer = health.aio.HealthServicer()
        self._is_serving = self._has_served = False

    async def attach(self, server: grpc.aio.Server) -> None:
        """Adds the health service to `server`."""
        await self.set_serving(False)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, CheckingServer(server))

    async def set_serving(self, serving: bool) -> None:
        """Changes the status of all services and notifies every watcher."""
        self._is_serving = serving
        self._has_served |= serving
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if serving else states.NOT_SERVING
        for service in self._services:
            await self._servicer.set(service, status)

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Returns the same truth for the HTTP port, by path: the kubelet's gRPC probes do not speak TLS.

        The process runs (`/healthz`), serves now (`/readyz`), and has served (`/startupz`).
        """
        return {
            "/healthz": lambda: True,
            "/readyz": lambda: self._is_serving,
            "/startupz": lambda: self._has_served,
        }


def run(main: Coroutine[Any, Any, int], loop: LoopKind) -> int:
    """Runs `main` on a new event loop and returns its exit code."""
    if loop == "asyncio":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextlib.asynccontextmanager
async def stop_signal() -> AsyncIterator[asyncio.Event]:
    """Yields an event that SIGTERM and SIGINT set while the block runs."""
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


def follow_parent() -> None:
    """Asks the kernel to send SIGTERM to this process when its parent dies (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent died before the call
        os.kill(os.getpid(), signal.SIGTERM)


def name_thread(name: str) -> None:
    """Names the running thread, as `top -H` shows it; at most 15 bytes (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
