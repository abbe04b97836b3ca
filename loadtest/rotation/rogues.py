"""Servers that pose as replicas of a model, and whom a supervisor must not send a row."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from loadtest.rotation.files import Certificates
from mesh import serving
from mesh.tls.throwaway import Issued, Times, new_authority

_ANY = "/inference.GRPCInferenceService/"


@dataclass
class Rogues:
    """The servers by kind: `addresses`, and how many calls of a supervisor each has received."""

    addresses: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def rogue_replicas(own: Certificates, game: str) -> AsyncIterator[Rogues]:
    """Runs a server of each kind while the block lasts; each asks no certificate of its clients."""
    now, day = datetime.now(UTC), timedelta(days=1)
    worker = [f"worker.{game}.mesh"]
    kinds: dict[str, Issued | None] = {
        "plaintext": None,
        "expired": own.authority.issue(worker, Times(now - 2 * day, now - day)),
        "other CA": new_authority(name="stranger").issue(worker),
        "wrong name": own.authority.issue(["worker.other.mesh"]),
        "supervisor as worker": own.authority.issue([f"supervisor.{game}.mesh"]),
    }
    rogues = Rogues()
    async with contextlib.AsyncExitStack() as stack:
        for kind, issued in kinds.items():
            server = grpc.aio.server(options=serving.server_options(serving.MESSAGE_LIMIT_BYTES))
            server.add_generic_rpc_handlers((_Counting(kind, rogues),))
            credentials = None if issued is None else grpc.ssl_server_credentials([(issued.key, issued.cert)])
            port = serving.bind(server, "127.0.0.1", 0, credentials)
            await server.start()
            stack.push_async_callback(server.stop, 0)
            rogues.addresses[kind], rogues.calls[kind] = f"127.0.0.1:{port}", 0
        yield rogues


class _Counting(grpc.GenericRpcHandler):
    """Counts every call to `kind`, and refuses it."""

    def __init__(self, kind: str, rogues: Rogues) -> None:
        self._kind = kind
        self._rogues = rogues

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if handler_call_details.method.startswith(_ANY):
            self._rogues.calls[self._kind] += 1
        return None
