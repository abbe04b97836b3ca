"""The throw-away CA: its certificates are accepted in both directions, and only for their names and time."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from mesh.errors import Misconfigured
from mesh.tls.key_pair import read_key_pair
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.tls.throwaway import Times, files_in, new_authority

NAMES = ("worker.demo.mesh", "spiffe://studio.example/worker", "127.0.0.1")


def test_certificate_has_its_dns_and_uri_names(tmp_path: Path) -> None:
    files = files_in(tmp_path, "worker")
    new_authority().write(files, NAMES)
    assert read_key_pair(files, datetime.now(UTC)).names == {"worker.demo.mesh", "spiffe://studio.example/worker"}


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    files = files_in(tmp_path / "tls", "worker")
    new_authority().write(files, NAMES)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.key.parent.iterdir()}
    assert modes == {"worker.pem": 0o600, "worker.key": 0o600, "ca.pem": 0o600}
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700


def test_certificate_of_a_past_lifetime_has_expired(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = files_in(tmp_path, "worker")
    new_authority().write(files, NAMES, Times(now - timedelta(days=2), now - timedelta(days=1)))
    with pytest.raises(Misconfigured, match="expired"):
        read_key_pair(files, now)


def test_server_and_client_accept_each_other_and_see_the_names(tmp_path: Path) -> None:
    authority = new_authority()
    for name in ("supervisor", "worker"):
        authority.write(files_in(tmp_path, name), (f"{name}.demo.mesh",))
    seen = asyncio.run(_names_seen(LiveTls(files_in(tmp_path, "worker")), LiveTls(files_in(tmp_path, "supervisor"))))
    assert seen == {"supervisor.demo.mesh"}


async def _names_seen(server_tls: LiveTls, client_tls: LiveTls) -> frozenset[str]:
    """Returns the names that a server sees of its client; both require the other's certificate."""

    async def names(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return "\n".join(peer_names(context.auth_context())).encode()

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Names": grpc.unary_unary_rpc_method_handler(names)}
    server.add_registered_method_handlers("trial", handlers)
    port = server.add_secure_port("127.0.0.1:0", server_tls.server_credentials())
    await server.start()
    options = [("grpc.ssl_target_name_override", "worker.demo.mesh")]
    try:
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", client_tls.channel_credentials(), options) as channel:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/trial/Names")
            reply = await ask(b"", timeout=10)
    finally:
        await server.stop(0)
    return frozenset(reply.decode().split("\n"))
