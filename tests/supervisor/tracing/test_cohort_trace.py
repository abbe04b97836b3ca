"""The trace of a cohort: its spans, and the parameter for the workers."""

from __future__ import annotations

import gc
import weakref
from typing import cast

import numpy as np
import pytest

from mesh.errors import Unavailable
from mesh.players.features import Columns
from mesh.tracing.spans import Span
from mesh.tracing.traceparent import parse
from supervisor.ballot import Ballot, ModelVote, Place
from supervisor.encoding import RowMatrix
from supervisor.features.cache import CohortFeatures
from supervisor.lane_reply import ScoreReply
from supervisor.shipment import Shipment
from supervisor.tracing.cohort_trace import CohortTrace
from supervisor.tracing.tracer import Kept, RequestTrace, Tracer

REPLY = ScoreReply(np.zeros(2), predict_s=0.003, starved=0.0, queue_s=0.001)


class Spans:
    def __init__(self) -> None:
        self.made: list[Span] = []

    def emit(self, span: Span) -> None:
        self.made.append(span)

    def skip(self) -> None:
        raise AssertionError


def requests_of(spans: Spans, *kept: Kept | None) -> list[RequestTrace]:
    tracer = Tracer(spans, 0.0)
    return [RequestTrace(tracer, None, one) for one in kept]


def shipment_to(model: str, trace: CohortTrace | None) -> Shipment:
    ballot = Ballot([model], 2, 1, lambda: None)
    ballot.trace = trace
    shipment = Shipment(ModelVote([Place(ballot, 0)], cast(RowMatrix, None), 1, 0, 0.0), 0, 2)
    ballot.close()  # an open ballot and its votes refer to each other
    return shipment


async def test_cohort_without_a_kept_request_makes_no_span_and_sends_no_parameter() -> None:
    spans = Spans()
    trace = CohortTrace(spans, requests_of(spans, None, None))
    shipment = shipment_to("m1", trace)
    assert shipment.begin_span("a:1") == ""
    shipment.end_span(REPLY)
    trace.emit(1.0)
    assert spans.made == []


async def test_cohort_of_a_kept_request_has_a_span_for_each_message() -> None:
    spans = Spans()
    lead, other = requests_of(spans, "share", None)
    trace = CohortTrace(spans, [other, lead])
    trace.record_read(CohortFeatures(Columns((), ()), (None, None), unread={1: Unavailable("down")}))
    replied, failed, silent = (shipment_to(model, trace) for model in ("m1", "m2", "m3"))
    parameters = [parse(shipment.begin_span("a:1")) for shipment in (replied, failed, silent)]
    replied.end_span(REPLY)
    failed.end_span(Unavailable("gone"))
    assert trace.join(lead) == ()
    trace.emit(1e9)
    cohort, read, *members = spans.made
    assert (cohort.parent, cohort.links) == (lead.ids, [lead.ids])
    assert cohort.attributes == {"mesh.requests": 2, "mesh.kept_requests": 1}
    assert read.attributes == {"mesh.players": 2, "mesh.found": 0, "mesh.stale": 0, "mesh.unread": 1}
    assert [one and one.span for one in parameters] == [member.ids for member in members]
    assert {one.parent for one in (read, *members)} == {cohort.ids}
    assert [one.error for one in members] == ["", "gone", "no reply before the end of the cohort"]
    assert [one.end_s == 1e9 for one in members] == [False, False, True]
    assert members[0].attributes == {
        "mesh.model": "m1",
        "mesh.replica": "a:1",
        "mesh.rows": 2,
        "mesh.try": 1,
        "mesh.second_try": False,
        "mesh.hedged": False,
        "mesh.worker_queue_ms": pytest.approx(1.0),
        "mesh.worker_predict_ms": pytest.approx(3.0),
    }


async def test_request_that_is_kept_for_its_answer_leads_a_cohort_that_had_no_lead() -> None:
    spans = Spans()
    first, second = requests_of(spans, None, None)
    trace = CohortTrace(spans, [first, second])
    assert shipment_to("m1", trace).begin_span("a:1") == ""
    assert trace.join(second) == ()
    (link,) = trace.join(first)
    trace.emit(1.0)
    cohort, member = spans.made
    assert link == cohort.ids
    assert {cohort.ids.trace_id, member.ids.trace_id} == {second.ids.trace_id}
    assert cohort.links == [second.ids, first.ids]
    assert member.parent == cohort.ids


async def test_kept_cohort_is_freed_without_the_collector_of_cycles() -> None:
    spans = Spans()
    requests = requests_of(spans, "share", "share", None)
    scores = np.zeros(2)
    freed = weakref.ref(scores)
    gc.disable()
    try:
        trace = CohortTrace(spans, requests)
        shipment = shipment_to("m1", trace)
        shipment.begin_span("a:1")
        shipment.end_span(ScoreReply(scores, None, 0.0))
        for one in requests[:2]:
            trace.join(one)
        trace.emit(1.0)
        del scores, shipment, requests, one, trace
        assert freed() is None
    finally:
        gc.enable()
