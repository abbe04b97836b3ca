"""Spans of a service before they are exported. The times are monotonic: the services measure with that clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from mesh.tracing.traceparent import SpanId

Value = str | bool | int | float


class Span(NamedTuple):
    """One operation from `start_s` to `end_s`. `links` are spans of other operations that it belongs to."""

    name: str
    ids: SpanId
    parent: SpanId | None
    start_s: float
    end_s: float
    attributes: Mapping[str, Value] = MappingProxyType({})
    links: Sequence[SpanId] = ()
    kind: Literal["server", "client", "internal"] = "internal"
    error: str = ""  # why the operation failed


class SpanSink(Protocol):
    """Receives finished spans. `SpanExport` implements it."""

    def emit(self, span: Span) -> None:
        """Receives `span`. It must not raise, and must not wait."""
        ...

    def skip(self) -> None:
        """Counts a span that was not made, because too many traces are kept already."""
        ...
