"""Fetches and parses the metrics page of a supervisor."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from mesh.errors import Unavailable
from mesh.tls.channel import HTTPS, PLAINTEXT, ClientSecurity
from mesh.tls.connection_fault import connection_fault

TIMEOUT_S = 1.0
# How a connection fails that is plaintext or TLS on one side only, or whose certificate is refused.
_OF_TLS = (ssl.SSLError, ConnectionResetError, TimeoutError, http.client.HTTPException)
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Page:
    """The samples of a metrics page by name, such as `mesh_requests_total` or `mesh_request_seconds_bucket`."""

    samples: Mapping[str, Sequence[Sample]]

    def find(self, name: str, **labels: str) -> Iterator[Sample]:
        """Yields the samples with this name and at least these labels."""
        for sample in self.samples.get(name, ()):
            if labels.items() <= sample.labels.items():
                yield sample

    def total(self, name: str, **labels: str) -> float:
        """Returns the sum of the samples with this name and at least these labels; 0 if there are none."""
        return sum(sample.value for sample in self.find(name, **labels))


def fetch(address: str, security: ClientSecurity = PLAINTEXT) -> Page:
    """Returns the page at `address` (host:port); raises Unavailable if it cannot be read within `TIMEOUT_S`."""
    return fetch_page(address, "/metrics", parse, security)


def fetch_page(address: str, path: str, read: Callable[[str], _Read], security: ClientSecurity = PLAINTEXT) -> _Read:
    """Returns what `read` returns for the page `path` at `address`; raises Unavailable if it cannot be read.

    Raises Misconfigured if the files of `security` have faults.
    """
    address = address.removeprefix(HTTPS)
    try:
        connection = _connection(address, security)
        try:
            connection.request("GET", path)
            return read(connection.getresponse().read().decode())
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        fault = connection_fault(address, security, TIMEOUT_S) if isinstance(error, _OF_TLS) else None
        problem = f"cannot read metrics at {address}: {error or type(error).__name__}"
        raise Unavailable(fault or f"{problem}; start the mesh with `mesh up`, or correct --metrics") from error


def _connection(address: str, security: ClientSecurity) -> http.client.HTTPConnection:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S)
    if security.ca is not None:
        context = security.ssl_context()
        plain = socket.create_connection((connection.host, connection.port), TIMEOUT_S)
        # http.client's own TLS cannot expect another name than the host.
        connection.sock = context.wrap_socket(plain, server_hostname=security.server_name or connection.host)
    return connection


def parse(text: str) -> Page:
    """Parses Prometheus' text format; raises ValueError for any other text."""
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return Page(samples)
