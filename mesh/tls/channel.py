"""How a client connects to a supervisor or a worker: TLS, its own certificate, a bearer token; plaintext by default."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from mesh.errors import Misconfigured
from mesh.tls.client_options import TOKEN_VARIABLE, VARIABLES
from mesh.tls.demands import Demands
from mesh.tls.files import TlsFiles
from mesh.tls.token import Token

Options = Sequence[tuple[str, Any]]
HTTPS = "https://"


@dataclass(frozen=True, slots=True)
class ClientSecurity:
    """The security of a client: plaintext without `ca`, the CAs of the server.

    `cert` and `key` are the client's own. The server's certificate must have the DNS name `server_name`, or that of the
    address if it is empty. `token` is shown in each call.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""
    token: Token | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files and returns the credentials of a new channel; raises Misconfigured for files with faults."""
        authorities, cert, key = self._pems()
        transport = grpc.ssl_channel_credentials(authorities, key, cert)
        if self.token is None:
            return transport
        return grpc.composite_channel_credentials(transport, grpc.metadata_call_credentials(_Shown(self.token)))

    def ssl_context(self) -> ssl.SSLContext:
        """Reads the files and returns the context of a connection without gRPC. Raises Misconfigured."""
        self._pems()  # for its errors
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does
        context.load_verify_locations(self.ca)
        if self.cert is not None and self.key is not None:
            context.load_cert_chain(self.cert, self.key)
        return context

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of a call that shows the token, for a channel that was opened without the token."""
        return () if self.token is None else (self.token.header(),)

    def files(self) -> tuple[Path, ...]:
        """The files of TLS; none in plaintext."""
        return tuple(file for file in (self.ca, self.cert, self.key) if file is not None)

    def without_token(self) -> ClientSecurity:
        """The same without the token: a load generator adds `metadata` to its calls, which costs less CPU."""
        return replace(self, token=None)

    def environment(self) -> dict[str, str]:
        """Returns the environment variables with which a child process connects in the same way."""
        token_file = None if self.token is None else self.token.file
        values = (self.ca, self.cert, self.key, self.server_name, token_file)
        fixed = self.token.current() if self.token is not None and token_file is None else ""
        texts = ("" if value is None else str(value) for value in values)
        return dict(zip(VARIABLES.values(), texts, strict=True)) | {TOKEN_VARIABLE: fixed}

    def _pems(self) -> tuple[bytes, bytes | None, bytes | None]:
        from mesh.tls.key_pair import read_authorities, read_key_pair  # here, because plaintext needs no cryptography

        assert self.ca is not None
        if self.cert is None or self.key is None:
            return read_authorities(self.ca, datetime.now(UTC)), None, None
        pair = read_key_pair(TlsFiles(self.cert, self.key, self.ca), datetime.now(UTC), Demands(calls=True))
        return pair.ca, pair.cert, pair.key


PLAINTEXT = ClientSecurity()


def client_security(values: Mapping[str, Any], environ: Mapping[str, str]) -> ClientSecurity:
    """Returns the security that the options `values` and the environment select; raises Misconfigured.

    An option takes precedence over its environment variable. The files are read when a channel is opened.
    """
    given = _given(values, environ)
    faults = list(_faults(given, environ))
    if faults:
        raise Misconfigured(faults)
    ca, cert, key = (Path(given[name]) if given[name] else None for name in ("tls_ca", "tls_cert", "tls_key"))
    return ClientSecurity(ca, cert, key, given["tls_name"], _token(given["token_file"], environ))


def metrics_security(address: str, values: Mapping[str, Any], environ: Mapping[str, str]) -> ClientSecurity:
    """Returns the security of a reader of metrics: TLS if `address` begins with https://, or with --tls-ca.

    The metrics of a mesh with TLS can be plaintext, so MESH_TLS_CA alone does not select TLS. Raises Misconfigured for
    https:// without a CA.
    """
    given = _given(values, environ)
    if not address.startswith(HTTPS) and not values["tls_ca"]:
        return PLAINTEXT
    if not given["tls_ca"]:
        raise Misconfigured([f"--metrics {address}: TLS needs the CA of the server; give --tls-ca"])
    return ClientSecurity(Path(given["tls_ca"]), server_name=given["tls_name"])


def open_channel(address: str, security: ClientSecurity, options: Options = ()) -> grpc.Channel:
    """Returns a channel; raises Misconfigured for files with faults."""
    if security.ca is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, security.credentials(), [*options, *_name_options(security)])


def open_aio_channel(address: str, security: ClientSecurity, options: Options = ()) -> grpc.aio.Channel:
    """Returns a channel of grpc.aio; raises Misconfigured for files with faults."""
    if security.ca is None:
        return grpc.aio.insecure_channel(address, options)
    return grpc.aio.secure_channel(address, security.credentials(), [*options, *_name_options(security)])


class _Shown(grpc.AuthMetadataPlugin):
    """Shows a token in each call; gRPC sends it over TLS only."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:  # noqa: ARG002
        callback((self._token.header(),), None)


def _name_options(security: ClientSecurity) -> list[tuple[str, Any]]:
    return [("grpc.ssl_target_name_override", security.server_name)] if security.server_name else []


def _given(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """The value of each option, or else of its environment variable; empty without both."""
    given = ((name, variable, values.get(name)) for name, variable in VARIABLES.items())
    return {name: environ.get(variable, "") if value is None else str(value) for name, variable, value in given}


def _token(file: str, environ: Mapping[str, str]) -> Token | None:
    if file:
        return Token(file, file=Path(file))
    text = environ.get(TOKEN_VARIABLE, "")
    return Token(TOKEN_VARIABLE, text) if text else None


def _faults(given: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    if bool(given["tls_cert"]) != bool(given["tls_key"]):
        has, misses = ("cert", "key") if given["tls_cert"] else ("key", "cert")
        yield f"--tls-{misses}: is missing; give it with --tls-{has}"
    if given["tls_ca"]:
        return
    for name in ("tls_cert", "tls_key", "tls_name"):
        if given[name]:
            option = f"--{name.replace('_', '-')}"
            yield f"{option}: the connection would be plaintext; give --tls-ca too, or unset {VARIABLES[name]}"
    if given["token_file"] or environ.get(TOKEN_VARIABLE):
        source = "--token-file" if given["token_file"] else TOKEN_VARIABLE
        variable = VARIABLES["token_file"] if given["token_file"] else TOKEN_VARIABLE
        yield f"{source}: a token is sent only over TLS; give --tls-ca too, or unset {variable}"
