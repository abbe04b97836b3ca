"""The trace of one cohort: its journey, the read of the store, and one span for each message to a replica."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mesh.errors import MeshError
from mesh.tracing.spans import Span, SpanSink, Value
from mesh.tracing.traceparent import SpanId, encoded, new_span
from supervisor.tracing.tracer import RequestTrace

if TYPE_CHECKING:
    from supervisor.features.cache import CohortFeatures
    from supervisor.lane_reply import ScoreReply
    from supervisor.shipment import Shipment
    from supervisor.ticket import Ticket


class MemberSpan:
    """One message to a replica, from sending to the reply. Times are monotonic."""

    __slots__ = ("attributes", "end_s", "error", "ids", "replied", "start_s")

    def __init__(self, ids: SpanId, attributes: dict[str, Value]) -> None:
        self.ids = ids
        self.attributes = attributes
        self.start_s = time.monotonic()
        self.end_s: float | None = None
        self.error = ""
        self.replied: ScoreReply | None = None

    def end(self, shipment: Shipment, outcome: ScoreReply | MeshError) -> None:
        """Records the outcome of the message; `shipment` shows whether another replica got the rows, too."""
        self.end_s = time.monotonic()
        self.attributes["mesh.hedged"] = shipment.race is not None
        if isinstance(outcome, MeshError):
            self.error = outcome.reason
            return
        self.replied = outcome


class CohortTrace:
    """The spans of one cohort, which departs now with `traces`, those of its requests.

    They belong to the trace of one of the requests that are kept, its lead. The workers make spans only if the lead is
    known at the departure: a request that is kept because of its answer comes too late for them.
    """

    def __init__(self, sink: SpanSink, traces: Sequence[RequestTrace]) -> None:
        self._sink = sink
        self._lead = next((one for one in traces if one.kept is not None), None)
        self._span_id = new_span().span_id
        self._kept: list[RequestTrace] = []
        self._requests = len(traces)
        self._departed_s = time.monotonic()
        self._members: list[MemberSpan] = []
        self._read: tuple[float, dict[str, Value]] | None = None
        for one in traces:
            one.cohort = self

    def join(self, trace: RequestTrace) -> Sequence[SpanId]:
        """Adds a request that is kept; returns the links from its span: to the cohort in another trace."""
        self._kept.append(trace)
        if self._lead is None:
            self._lead = trace
        return () if trace is self._lead else (SpanId(self._lead.ids.trace_id, self._span_id),)

    def record_read(self, read: CohortFeatures) -> None:
        """Records that the players were read."""
        found = sum(player is not None for player in read.players)
        counts: dict[str, Value] = {"mesh.players": len(read.players), "mesh.found": found}
        self._read = (time.monotonic(), {**counts, "mesh.stale": len(read.stale), "mesh.unread": len(read.unread)})

    def sent(self, shipment: Shipment, address: str) -> MemberSpan:
        """Begins the span of a message to the replica at `address`."""
        attributes: dict[str, Value] = {
            "mesh.model": shipment.vote.model,
            "mesh.replica": address,
            "mesh.rows": shipment.rows,
            "mesh.try": shipment.tries,
            "mesh.second_try": shipment.is_second_try,
        }
        trace_id = 0 if self._lead is None else self._lead.ids.trace_id
        member = MemberSpan(new_span(trace_id), attributes)
        self._members.append(member)
        return member

    def parameter(self, member: MemberSpan) -> str:
        """Returns the parameter `traceparent` of the message; '' if the worker makes no span."""
        return "" if self._lead is None else encoded(member.ids)

    def close(self) -> None:
        """Makes the spans after the end of the journey, once its last requests have ended their own."""
        asyncio.get_running_loop().call_soon(self._emit, time.monotonic())

    def _emit(self, end_s: float) -> None:
        lead, members = self._lead, self._members
        if lead is None or not self._kept:
            return
        ids = SpanId(lead.ids.trace_id, self._span_id)
        links = [one.ids for one in self._kept if one is not lead]
        counts: dict[str, Value] = {"mesh.requests": self._requests, "mesh.kept_requests": len(self._kept)}
        self._sink.emit(Span("cohort", ids, lead.ids, self._departed_s, end_s, counts, [lead.ids, *links]))
        if self._read is not None:
            read_s, counts = self._read
            self._sink.emit(Span("store read", new_span(ids.trace_id), ids, self._departed_s, read_s, counts))
        for span in _spans_of(members, ids, end_s):
            self._sink.emit(span)


def cohort_trace(tickets: Sequence[Ticket]) -> CohortTrace | None:
    """Returns the trace of the cohort of `tickets`, which departs now; None if traces are off."""
    traces = [ticket.trace for ticket in tickets if ticket.trace is not None]
    return CohortTrace(traces[0].tracer.sink, traces) if traces else None


def _spans_of(members: Iterable[MemberSpan], cohort: SpanId, end_s: float) -> Iterable[Span]:
    for member in members:
        attributes, reply = member.attributes, member.replied
        if reply is not None:
            attributes["mesh.worker_queue_ms"] = 1000 * reply.queue_s if reply.queue_s is not None else 0.0
            attributes["mesh.worker_predict_ms"] = 1000 * reply.predict_s if reply.predict_s is not None else 0.0
        error = member.error if member.end_s is not None else "no reply before the end of the cohort"
        ids = SpanId(cohort.trace_id, member.ids.span_id)
        name = f"member {attributes['mesh.model']}"
        yield Span(name, ids, cohort, member.start_s, member.end_s or end_s, attributes, (), "client", error)
