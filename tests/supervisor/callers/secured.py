"""A supervisor with TLS and callers in this process: a port for certificates, and one for tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from mesh.tls import throwaway
from mesh.tls.live import LiveTls
from mesh.wire import offers_pb2_grpc
from supervisor.grpc_server import grpc_server
from supervisor.settings import read_settings
from tests.supervisor.backend import Backend, backend

SERVER = "supervisor.g.mesh"


@dataclass(frozen=True)
class Secured:
    """The running supervisor, and connections to its ports."""

    running: Backend
    authority: throwaway.Authority
    port: int
    token_port: int
    stack: AsyncExitStack

    async def channel(self, *names: str) -> grpc.aio.Channel:
        """Connects with a certificate for `names`."""
        issued = self.authority.issue(names)
        return await self._open(self.port, grpc.ssl_channel_credentials(self.authority.cert, issued.key, issued.cert))

    async def token_channel(self) -> grpc.aio.Channel:
        """Connects to the port for tokens."""
        return await self._open(self.token_port, grpc.ssl_channel_credentials(self.authority.cert))

    async def stub(self, *names: str) -> Any:
        """Connects with a certificate for `names`."""
        return offers_pb2_grpc.OffersStub(await self.channel(*names))  # type: ignore[no-untyped-call]

    async def token_stub(self) -> Any:
        """Connects to the port for tokens."""
        return offers_pb2_grpc.OffersStub(await self.token_channel())  # type: ignore[no-untyped-call]

    async def _open(self, port: int, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        options = [("grpc.ssl_target_name_override", SERVER), ("grpc.enable_retries", 0)]
        channel = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options)
        return await self.stack.enter_async_context(channel)


@asynccontextmanager
async def secured(folder: Path, callers: str, options: Sequence[str] = (), **game: Any) -> AsyncIterator[Secured]:
    """Runs the game of `backend` with the block `callers` (YAML) behind TLS."""
    authority = throwaway.new_authority()
    files = throwaway.files_in(folder / "tls", "supervisor")
    authority.write(files, [SERVER])
    tls = ["--tls-cert", str(files.cert), "--tls-key", str(files.key), "--tls-ca", str(files.ca)]
    settings = read_settings(["--catalog", "unused", *tls, "--token-port", "0", *options])
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(backend(folder, callers=callers, **game))
        server = await stack.enter_async_context(grpc_server(settings, running.service, [], tls=LiveTls(files)))
        assert server.token_port is not None
        yield Secured(running, authority, server.port, server.token_port, stack)
