"""gRPC accepts the certificates that the checks accept, and the checks refuse those that gRPC refuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from mesh import serving
from mesh.errors import Misconfigured
from mesh.tls.demands import Demands
from mesh.tls.files import TlsFiles
from mesh.tls.key_pair import read_key_pair
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from tests.mesh.tls.certificates import DAY, NAME, NOW, Holder, Key, Wish, authority, ec_key, issue, key_pem, write

CA, NEW_CA = authority(), authority("new CA")
BOTH = Demands(serves=True, calls=True, dns_name=True)
KEYS: dict[str, Callable[[], Key]] = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "p256": ec_key,
    "p384": lambda: ec_key(ec.SECP384R1()),
    "p521": lambda: ec_key(ec.SECP521R1()),
    "p224": lambda: ec_key(ec.SECP224R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}
WISHES = {
    "expired": Wish(end=NOW - DAY, begin=NOW - 2 * DAY),
    "not yet valid": Wish(begin=NOW + DAY),
    "no names": Wish(names=[]),
    "only a server": Wish(extensions=[x509.ExtendedKeyUsage([Purpose.SERVER_AUTH])]),
    "only a client": Wish(extensions=[x509.ExtendedKeyUsage([Purpose.CLIENT_AUTH])]),
    "any use": Wish(extensions=[x509.ExtendedKeyUsage([Purpose.ANY_EXTENDED_KEY_USAGE])]),
    "both uses": Wish(extensions=[x509.ExtendedKeyUsage([Purpose.CLIENT_AUTH, Purpose.SERVER_AUTH])]),
    "several names": Wish(names=[x509.UniformResourceIdentifier("spiffe://a/b"), x509.DNSName(NAME)]),
}


@dataclass(frozen=True)
class Pem:
    """What a service gives to gRPC."""

    cert: bytes
    key: bytes
    ca: bytes


def pem_of(holder: Holder, *authorities: Holder) -> Pem:
    return Pem(holder.cert_pem, holder.key_pem, b"".join(one.cert_pem for one in authorities))


async def names(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return "\n".join(peer_names(context.auth_context())).encode()


def new_server() -> grpc.aio.Server:
    server = grpc.aio.server(options=serving.server_options(2**20, servers=2))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Names": grpc.unary_unary_rpc_method_handler(names)}
    server.add_registered_method_handlers("trial", handlers)
    return server


async def ask(port: int, client: Pem | None, ca: bytes | None = None) -> str:
    """The client's names as the server sees them, or the status of the failure."""
    own = (None, None) if client is None else (client.key, client.cert)
    roots = ca if client is None or ca is not None else client.ca
    options = [("grpc.ssl_target_name_override", NAME), *serving.lane_options()]
    credentials = grpc.ssl_channel_credentials(roots, *own)
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        try:
            call: Any = channel.unary_unary("/trial/Names")
            return str((await call(b"", timeout=10)).decode())
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)


async def handshake(server_pem: Pem, client: Pem) -> str:
    server = new_server()
    credentials = grpc.ssl_server_credentials([(server_pem.key, server_pem.cert)], server_pem.ca, True)
    try:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    except RuntimeError:
        return "NO PORT"
    await server.start()
    try:
        return await ask(port, client)
    finally:
        await server.stop(None)


async def grpc_accepts(tested: Pem) -> bool:
    """Whether gRPC accepts `tested` as the certificate of a server, and of a client."""
    good = pem_of(issue(CA), CA)
    return NAME in await handshake(tested, good) and NAME in await handshake(good, tested)


def checks_accept(folder: Path, holder: Holder) -> bool:
    try:
        read_key_pair(write(folder, holder, CA), NOW, BOTH)
    except Misconfigured:
        return False
    return True


@pytest.mark.parametrize("kind", KEYS)
async def test_checks_and_grpc_agree_about_keys(tmp_path: Path, kind: str) -> None:
    holder = issue(CA, Wish(key=KEYS[kind]()))
    assert checks_accept(tmp_path, holder) == await grpc_accepts(pem_of(holder, CA))


@pytest.mark.parametrize("kind", WISHES)
async def test_checks_and_grpc_agree_about_certificates(tmp_path: Path, kind: str) -> None:
    holder = issue(CA, WISHES[kind])
    assert checks_accept(tmp_path, holder) == await grpc_accepts(pem_of(holder, CA))


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
async def test_grpc_accepts_the_traditional_form_of_a_key(kind: str) -> None:
    holder = issue(CA, Wish(key=KEYS[kind]()))
    assert await grpc_accepts(Pem(holder.cert_pem, key_pem(holder.key, PrivateFormat.TraditionalOpenSSL), CA.cert_pem))


async def test_grpc_accepts_a_chain_with_intermediates_and_several_cas() -> None:
    middle = issue(CA, Wish("intermediate", is_ca=True))
    deep = issue(issue(middle, Wish("second intermediate", is_ca=True)))
    assert len(deep.chain) == 2
    assert await grpc_accepts(pem_of(deep, NEW_CA, CA))


class Rotating:
    """Servers of grpc.aio on one port, whose certificates follow files."""

    def __init__(self, port: int, tls: LiveTls, files: TlsFiles) -> None:
        self.port = port
        self.tls = tls
        self._files = files

    def change(self, holder: Holder, *authorities: Holder) -> None:
        write(self._files.cert.parent, holder, *authorities)
        self.tls.reload()


async def rotating(stack: AsyncExitStack, folder: Path, count: int = 1) -> Rotating:
    files = write(folder, issue(CA), CA)
    tls = LiveTls(files)
    port = 0
    for _ in range(count):
        server = new_server()
        port = serving.bind(server, "127.0.0.1", port, tls.server_credentials())
        await server.start()
        stack.push_async_callback(server.stop, None)
    return Rotating(port, tls, files)


async def test_each_server_of_a_port_follows_the_files(tmp_path: Path) -> None:
    client = pem_of(issue(CA), CA, NEW_CA)
    async with AsyncExitStack() as stack:
        servers = await rotating(stack, tmp_path, 4)
        assert {await ask(servers.port, client) for _ in range(24)} == {NAME}
        servers.change(issue(NEW_CA), CA, NEW_CA)
        assert {await ask(servers.port, client, NEW_CA.cert_pem) for _ in range(24)} == {NAME}
        assert {await ask(servers.port, client, CA.cert_pem) for _ in range(4)} == {"UNAVAILABLE"}
        assert servers.tls.handshakes >= 52


async def test_certificate_of_a_removed_ca_is_refused_on_new_connections_only(tmp_path: Path) -> None:
    old = pem_of(issue(CA), CA, NEW_CA)
    new = pem_of(issue(NEW_CA), CA, NEW_CA)
    options = [("grpc.ssl_target_name_override", NAME), *serving.lane_options()]
    async with AsyncExitStack() as stack:
        servers = await rotating(stack, tmp_path)
        credentials = grpc.ssl_channel_credentials(old.ca, old.key, old.cert)
        channel = await stack.enter_async_context(
            grpc.aio.secure_channel(f"127.0.0.1:{servers.port}", credentials, options)
        )
        call: Any = channel.unary_unary("/trial/Names")
        assert await call(b"", timeout=10) == NAME.encode()
        assert await ask(servers.port, new) == "UNAVAILABLE"
        servers.change(issue(NEW_CA), NEW_CA)
        assert await ask(servers.port, new) == NAME
        assert await ask(servers.port, old) == "UNAVAILABLE"
        assert await call(b"", timeout=10) == NAME.encode()  # an open connection ends by its age only


async def test_port_without_client_certificates_sees_no_names(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA), CA)
    tls, server = LiveTls(files), new_server()
    port = serving.bind(server, "127.0.0.1", 0, tls.server_credentials())
    token_port = serving.bind(server, "127.0.0.1", 0, tls.server_credentials(require_client=False))
    await server.start()
    client = pem_of(issue(CA), CA)
    try:
        assert await ask(port, client) == NAME
        assert await ask(token_port, client) == ""
        assert await ask(token_port, None, CA.cert_pem) == ""
        assert await ask(port, None, CA.cert_pem) == "UNAVAILABLE"
    finally:
        await server.stop(None)


async def test_server_keeps_its_pair_when_grpc_refuses_the_next(tmp_path: Path) -> None:
    client = pem_of(issue(CA), CA)
    async with AsyncExitStack() as stack:
        servers = await rotating(stack, tmp_path)
        other_key = issue(CA).key_pem
        servers.tls.current = replace(servers.tls.current, key=other_key)  # a pair that no check has seen
        assert await ask(servers.port, client) == NAME
        servers.change(issue(CA), CA)
        assert await ask(servers.port, client) == NAME
