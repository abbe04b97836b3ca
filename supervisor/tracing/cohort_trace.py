"""The trace of one cohort: its journey, the read of the store, and one span for each message to a replica."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mesh.tracing.spans import Span, SpanSink, Value
from mesh.tracing.traceparent import SpanId, encoded, new_span, new_span_id
from supervisor.tracing.member_span import MemberSpan
from supervisor.tracing.tracer import RequestTrace

if TYPE_CHECKING:
    from supervisor.features.cache import CohortFeatures
    from supervisor.shipment import Shipment
    from supervisor.ticket import Ticket


class CohortTrace:
    """The spans of one cohort, which departs now with `traces`, those of its requests.

    They belong to the trace of one of the requests that are kept, its lead. The workers make spans only if the lead is
    known at the departure: a request that is kept because of its answer comes too late for them. Of most cohorts no
    request is kept: until one is, this object has only times and references, and no ids.
    """

    __slots__ = ("_departed_s", "_kept", "_lead", "_members", "_read", "_requests", "_sink", "_span_id")

    def __init__(self, sink: SpanSink, traces: Sequence[RequestTrace]) -> None:
        self._sink = sink
        self._span_id = 0  # of the cohort; 0 until a request is kept
        self._kept: list[RequestTrace] = []
        self._requests = len(traces)
        self._members: list[MemberSpan] = []
        self._read: tuple[float, CohortFeatures] | None = None
        self._lead: RequestTrace | None = None
        for one in traces:
            one.cohort = self
            if self._lead is None and one.kept is not None:
                self._lead = one
        self._departed_s = time.monotonic()

    def join(self, trace: RequestTrace) -> Sequence[SpanId]:
        """Adds a request that is kept; returns the links from its span: to the cohort in another trace."""
        self._kept.append(trace)
        if self._lead is None:
            self._lead = trace
        return () if trace is self._lead else (self._ids(self._lead),)

    def record_read(self, read: CohortFeatures) -> None:
        """Records that the players were read."""
        self._read = (time.monotonic(), read)

    def sent(self, shipment: Shipment, address: str) -> MemberSpan:
        """Begins the span of a message to the replica at `address`."""
        member = MemberSpan(shipment, address)
        self._members.append(member)
        return member

    def parameter(self, member: MemberSpan) -> str:
        """Returns the parameter `traceparent` of the message; '' if the worker makes no span."""
        return "" if self._lead is None else encoded(member.ids(self._lead.ids.trace_id))

    def close(self) -> None:
        """Makes the spans after the end of the journey, once its last requests have ended their own."""
        asyncio.get_running_loop().call_soon(self.emit, time.monotonic())

    def emit(self, end_s: float) -> None:
        """Makes the spans of the cohort, which ended at `end_s`, if a request of it is kept."""
        lead, kept = self._lead, self._kept
        if lead is None or not kept:
            return
        ids = self._ids(lead)
        links = [lead.ids, *(one.ids for one in kept if one is not lead)]
        counts: dict[str, Value] = {"mesh.requests": self._requests, "mesh.kept_requests": len(kept)}
        self._sink.emit(Span("cohort", ids, lead.ids, self._departed_s, end_s, counts, links))
        if self._read is not None:
            read_s, read = self._read
            self._sink.emit(Span("store read", new_span(ids.trace_id), ids, self._departed_s, read_s, _counts(read)))
        for member in self._members:
            self._sink.emit(member.span(ids, end_s))
        for one in (lead, *kept):  # breaks the reference cycle, which would keep the replies in memory
            one.cohort = None

    def _ids(self, lead: RequestTrace) -> SpanId:
        if not self._span_id:
            self._span_id = new_span_id()
        return SpanId(lead.ids.trace_id, self._span_id)


def cohort_trace(tickets: Sequence[Ticket]) -> CohortTrace | None:
    """Returns the trace of the cohort of `tickets`, which departs now; None if traces are off."""
    traces = [ticket.trace for ticket in tickets if ticket.trace is not None]
    return CohortTrace(traces[0].sink, traces) if traces else None


def _counts(read: CohortFeatures) -> dict[str, Value]:
    found = sum(player is not None for player in read.players)
    counts: dict[str, Value] = {"mesh.players": len(read.players), "mesh.found": found}
    return {**counts, "mesh.stale": len(read.stale), "mesh.unread": len(read.unread)}
