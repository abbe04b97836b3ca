"""Clients for services with TLS, in tests."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence

import grpc

from mesh import serving
from tests.mesh.tls.certificates import Holder

WITHIN_S = 20.0


def channel(
    address: str, name: str, authority: Holder | Sequence[Holder], client: Holder | None = None
) -> grpc.aio.Channel:
    """Opens a channel to the service `name` with a certificate of `authority`; `client` is shown to it."""
    authorities = [authority] if isinstance(authority, Holder) else authority
    own = (None, None) if client is None else (client.key_pem, client.cert_pem)
    credentials = grpc.ssl_channel_credentials(b"".join(one.cert_pem for one in authorities), *own)
    options = [("grpc.ssl_target_name_override", name), *serving.lane_options()]
    return grpc.aio.secure_channel(address, credentials, options=options)


def http(url: str, authority: Holder | None = None) -> tuple[int, str]:
    """Returns the status and body of `GET url`; over HTTPS with a certificate of `authority`."""
    context = None
    if authority is not None:
        context = ssl.create_default_context(cadata=authority.cert_pem.decode())
        context.check_hostname = False
    try:
        with urllib.request.urlopen(url, timeout=WITHIN_S, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(metrics: str, name: str) -> float:
    """Returns the value of the series `name`, with its labels, on a page of metrics."""
    (line,) = [line for line in metrics.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])
