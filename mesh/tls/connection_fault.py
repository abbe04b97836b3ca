"""Finds out why a client cannot connect: plaintext on one side only, a wrong CA, a wrong name, a refused certificate.

gRPC reports all of these as a connection that fails. So this module makes a handshake of its own, after the failure.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import grpc

from mesh.tls.channel import ClientSecurity

PROBE_S = 2.0
_UNIX, _DNS = "unix:", "dns:///"
# The connection preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, sections 3.4 and 6.5).
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
_TLS_RECORDS = (b"\x15", b"\x16")  # the first byte of an alert and of a handshake (RFC 8446, section 5.1)
ALPN = ["h2", "http/1.1"]
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_MAX_NAMES = 4


def is_ready(channel: grpc.Channel, budget_s: float) -> bool:
    """Connects; returns False as soon as an attempt fails, or after `budget_s`."""
    decided, ready = threading.Event(), threading.Event()

    def changed(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            ready.set()
        if state in (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE):
            decided.set()

    channel.subscribe(changed, try_to_connect=True)
    decided.wait(budget_s)
    channel.unsubscribe(changed)
    return ready.is_set()


def connection_fault(address: str, security: ClientSecurity, budget_s: float = PROBE_S) -> str | None:
    """Returns why TLS or plaintext fails at `address`, with the fix; None if neither is the cause.

    Each step may take `budget_s`.
    """
    try:
        if security.ca is None:
            return _plaintext_fault(address, budget_s)
        return _tls_fault(address, security, budget_s)
    except (OSError, ValueError, OverflowError):  # no server, or not an address that this module understands
        return None


def _plaintext_fault(address: str, budget_s: float) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; the handshake only shows that the server speaks TLS
    context.set_alpn_protocols(ALPN)
    try:
        with _connected(address, budget_s) as plain, context.wrap_socket(plain):
            pass
    except ssl.SSLError:
        return None
    return f"the server at {address} speaks TLS, but this client plaintext; give --tls-ca with the CA of the server"


def _tls_fault(address: str, security: ClientSecurity, budget_s: float) -> str | None:
    name = security.server_name or host_of(address)
    context = _context(security)
    with _connected(address, budget_s) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                secured.sendall(HTTP2_PREFACE)
                # With TLS 1.3, a server refuses the certificate of a client after the client's handshake.
                return None if secured.recv(1) else _refusal(address, security)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _WRONG_NAME:
                return _name_fault(address, security, name, budget_s)
            return _certificate_fault(address, security, error)
        except (ssl.SSLError, ConnectionError):
            return _plaintext_server(address, budget_s) or _refusal(address, security)
        except TimeoutError:  # an HTTP server waits for the end of the request's head
            return _plaintext_server(address, budget_s)


def _plaintext_server(address: str, budget_s: float) -> str | None:
    if not _speaks_plaintext(address, budget_s):
        return None
    fix = "omit --tls-ca and unset MESH_TLS_CA, or correct the address"
    return f"the server at {address} speaks plaintext, but this client TLS; {fix}"


def _certificate_fault(address: str, security: ClientSecurity, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return f"the certificate of the server at {address} has expired; renew it there"
    if error.verify_code == _NOT_YET_VALID:
        return f"the certificate of the server at {address} is not valid yet; check the clocks of both machines"
    problem = f"the certificate of the server at {address} is not of a CA in {security.ca} ({error.verify_message})"
    return f"{problem}; give the file with its CA as --tls-ca"


def _name_fault(address: str, security: ClientSecurity, name: str, budget_s: float) -> str:
    problem = f"the certificate of the server at {address} does not have the name {name}"
    names = _names_of_server(address, security, budget_s)
    if not names:
        return f"{problem}; give a DNS name that it has as --tls-name"
    shown = ", ".join(names[:_MAX_NAMES])
    return f"{problem}, only {shown}; if that is the right server, give --tls-name {names[0]}"


def _names_of_server(address: str, security: ClientSecurity, budget_s: float) -> list[str]:
    """The DNS names in the server's certificate, which must be of the right CA."""
    context = _context(security)
    context.check_hostname = False
    try:
        with _connected(address, budget_s) as plain, context.wrap_socket(plain) as secured:
            found = secured.getpeercert() or {}
    except OSError:
        return []
    return list(_dns_names(found))


def _dns_names(found: object) -> Iterator[str]:
    for kind, text in found.get("subjectAltName", ()) if isinstance(found, dict) else ():
        if kind == "DNS" and str(text).isprintable():
            yield str(text)


def _refusal(address: str, security: ClientSecurity) -> str:
    """The fault of a server that ended the handshake: it verifies the certificates of its clients."""
    if security.cert is None:
        fix = "give --tls-cert and --tls-key; or, with --token-file, the address of the supervisor's --token-port"
        return f"the server at {address} demands a certificate of its clients; {fix}"
    problem = f"the server at {address} refuses the certificate {security.cert}"
    return f"{problem}; give a certificate of a CA that the server knows"


def _context(security: ClientSecurity) -> ssl.SSLContext:
    context = security.ssl_context()
    context.set_alpn_protocols(ALPN)
    return context


def _speaks_plaintext(address: str, budget_s: float) -> bool:
    """Whether the server answers the preface of HTTP/2, and not with a record of TLS."""
    try:
        with _connected(address, budget_s) as plain:
            plain.sendall(HTTP2_PREFACE)
            answer = plain.recv(1)
    except OSError:
        return False
    return bool(answer) and answer not in _TLS_RECORDS


def host_of(address: str) -> str:
    """Returns the host of a gRPC address; for a Unix socket `localhost`, as gRPC does."""
    if address.startswith(_UNIX):
        return "localhost"
    return address.removeprefix(_DNS).rpartition(":")[0].strip("[]")


def _connected(address: str, budget_s: float) -> socket.socket:
    if not address.startswith(_UNIX):
        port = int(address.rpartition(":")[2])
        return socket.create_connection((host_of(address), port), budget_s)
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(budget_s)
    try:
        plain.connect(address.removeprefix(_UNIX))
    except OSError:
        plain.close()
        raise
    return plain
