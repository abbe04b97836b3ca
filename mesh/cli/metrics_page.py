"""Fetches and parses the metrics page of a supervisor."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from mesh.errors import Unavailable

TIMEOUT_S = 1.0
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


def fetch(address: str) -> Page:
    """Returns the page at `address` (host:port); raises Unavailable if it cannot be read within `TIMEOUT_S`."""
    return fetch_page(address, "/metrics", parse)


def fetch_page(address: str, path: str, read: Callable[[str], _Read]) -> _Read:
    """Returns what `read` returns for the page `path` at `address`; raises Unavailable if it cannot be read."""
    host, _, port = address.rpartition(":")
    try:
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S)
        try:
            connection.request("GET", path)
            return read(connection.getresponse().read().decode())
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        problem = f"cannot read metrics at {address}: {error or type(error).__name__}"
        raise Unavailable(f"{problem}; start the mesh with `mesh up`, or correct --metrics") from error


def parse(text: str) -> Page:
    """Parses Prometheus' text format; raises ValueError for any other text."""
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return Page(samples)
