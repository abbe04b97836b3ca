"""Each way in which a client and a server do not fit has a sentence of its own, against real servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_channel
from mesh.tls.connection_fault import connection_fault, is_ready
from mesh.tls.live import LiveTls
from mesh.wire import offers_pb2_grpc
from tests.certificates import SERVER_NAME, Certificates, security_with
from tests.mesh.cli.offers_server import serving

WITHIN_S = 10.0


class Servers:
    """Addresses of servers: mutual TLS, TLS without certificates of clients, and plaintext."""

    def __init__(self, certificates: Certificates, mutual: str, tokens: str, plaintext: str) -> None:
        self.certificates = certificates
        self.mutual, self.tokens, self.plaintext = mutual, tokens, plaintext


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    live, offers = LiveTls(certificates.server()), offers_pb2_grpc.OffersServicer
    with (
        serving(offers(), credentials=live.server_credentials()) as mutual,
        serving(offers(), credentials=live.server_credentials(require_client=False)) as tokens,
        serving(offers()) as plaintext,
    ):
        yield Servers(certificates, mutual, tokens, plaintext)


def fault_of(address: str, security: ClientSecurity) -> str | None:
    """The fault that is found after a connection has failed, as the commands do."""
    with open_channel(address, security) as channel:
        assert not is_ready(channel, WITHIN_S)
    return connection_fault(address, security)


def test_client_that_fits_connects_and_has_no_fault(servers: Servers) -> None:
    client = security_with(servers.certificates.client())
    without = ClientSecurity(client.ca, server_name=SERVER_NAME)
    for address, security in (
        (servers.mutual, client),
        (servers.tokens, client),
        (servers.tokens, without),
        (servers.plaintext, PLAINTEXT),
    ):
        with open_channel(address, security) as channel:
            assert is_ready(channel, WITHIN_S)
        assert connection_fault(address, security) is None


def test_plaintext_client_of_a_tls_server(servers: Servers) -> None:
    for address in (servers.mutual, servers.tokens):
        expected = f"the server at {address} speaks TLS, but this client plaintext; give --tls-ca"
        assert str(fault_of(address, PLAINTEXT)).startswith(expected)


def test_tls_client_of_a_plaintext_server(servers: Servers) -> None:
    address = servers.plaintext
    fault = fault_of(address, security_with(servers.certificates.client()))
    assert fault is not None
    assert fault.startswith(f"the server at {address} speaks plaintext, but this client TLS; omit --tls-ca")


def test_server_of_another_ca(servers: Servers, tmp_path: Path) -> None:
    other = Certificates(tmp_path).client()
    fault = fault_of(servers.tokens, ClientSecurity(other.ca, server_name=SERVER_NAME))
    assert fault is not None
    assert fault.startswith(f"the certificate of the server at {servers.tokens} is not of a CA in {other.ca} (")
    assert fault.endswith("give the file with its CA as --tls-ca")


@pytest.mark.parametrize("name", ["", "worker.testgame.mesh"])
def test_server_with_another_name(servers: Servers, name: str) -> None:
    fault = fault_of(servers.mutual, security_with(servers.certificates.client(), name))
    problem = f"the certificate of the server at {servers.mutual} does not have the name {name or '127.0.0.1'}, only"
    assert fault == (f"{problem} {SERVER_NAME}, other.mesh; if that is the right server, give --tls-name {SERVER_NAME}")


def test_server_that_demands_a_certificate(servers: Servers) -> None:
    client = servers.certificates.client()
    fault = fault_of(servers.mutual, ClientSecurity(client.ca, server_name=SERVER_NAME))
    assert fault is not None
    assert fault.startswith(f"the server at {servers.mutual} demands a certificate of its clients; give --tls-cert")
    assert "--token-port" in fault


def test_server_that_refuses_the_certificate(servers: Servers, tmp_path: Path) -> None:
    own, other = servers.certificates.client(), Certificates(tmp_path).client()
    fault = fault_of(servers.mutual, ClientSecurity(own.ca, other.cert, other.key, SERVER_NAME))
    assert fault is not None
    assert fault.startswith(f"the server at {servers.mutual} refuses the certificate {other.cert}; give a certificate")


def test_server_on_a_unix_socket(servers: Servers, tmp_path: Path) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"unix:{tmp_path / 'socket'}"
    credentials = LiveTls(servers.certificates.server()).server_credentials()
    server.add_secure_port(address, credentials)
    server.start()
    try:
        with open_channel(address, security_with(servers.certificates.client())) as channel:
            assert is_ready(channel, WITHIN_S)
        fault = fault_of(address, security_with(servers.certificates.client(), ""))
    finally:
        server.stop(None).wait()
    assert fault is not None
    assert "does not have the name localhost, only" in fault


def test_address_without_a_server_has_no_fault_of_tls(servers: Servers) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent_address = f"127.0.0.1:{silent.getsockname()[1]}"
        for address in (silent_address, "127.0.0.1:1", "no-port", "unix:/no/such/socket", "127.0.0.1:99999999"):
            for security in (PLAINTEXT, security_with(servers.certificates.client())):
                assert connection_fault(address, security, 0.05) is None
