"""Encoding of spans: it means the same as the encoding of OpenTelemetry's SDK."""

from __future__ import annotations

import time

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from mesh import __version__
from mesh.tracing.encoding import BatchEncoder
from mesh.tracing.spans import Span, Value
from mesh.tracing.traceparent import SpanId

RESOURCE = Resource.create({"service.name": "ensemble-mesh-worker"})
SCOPE = InstrumentationScope("ensemble-mesh", __version__)
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
IDS, PARENT, LINKED = SpanId(2**127 + 5, 7), SpanId(2**127 + 5, 8), SpanId(1, 2**63)
ATTRIBUTES: dict[str, Value] = {"text": "é", "yes": True, "no": False, "count": -3, "share": 0.25}


def by_the_sdk(span: Span) -> ExportTraceServiceRequest:
    """The same span in the SDK's encoding, without times."""
    is_remote = span.kind == "server"
    readable = ReadableSpan(
        span.name,
        SpanContext(*span.ids, is_remote=False),
        None if span.parent is None else SpanContext(*span.parent, is_remote=is_remote),
        RESOURCE,
        span.attributes,
        links=[Link(SpanContext(*ids, is_remote=False)) for ids in span.links],
        kind=KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
        instrumentation_scope=SCOPE,
    )
    return encode_spans([readable])


@pytest.mark.parametrize(
    "span",
    [
        Span("request", IDS, PARENT, 1.0, 2.0, ATTRIBUTES, (), "server", "a bug"),
        Span("request", IDS, None, 1.0, 2.0, ATTRIBUTES, (LINKED,), "server"),
        Span("cohort", IDS, PARENT, 1.0, 2.0, {}, (PARENT, LINKED)),
        Span("member m1", IDS, PARENT, 1.0, 2.0, ATTRIBUTES, (), "client"),
    ],
    ids=["failed", "without a parent", "linked", "client"],
)
def test_span_is_encoded_as_by_the_sdk(span: Span) -> None:
    batch, expected = BatchEncoder(RESOURCE).encoded([span]), by_the_sdk(span)
    (encoded,) = batch.resource_spans[0].scope_spans[0].spans
    encoded.ClearField("start_time_unix_nano")
    encoded.ClearField("end_time_unix_nano")
    encoded.status.SetInParent()  # the SDK writes an empty one
    assert batch == expected


def test_times_are_those_of_the_wall_clock() -> None:
    start_s, wall_s = time.monotonic(), time.time()
    batch = BatchEncoder(RESOURCE).encoded([Span("cohort", IDS, None, start_s, start_s + 1.5)])
    (encoded,) = batch.resource_spans[0].scope_spans[0].spans
    assert encoded.start_time_unix_nano / 1e9 == pytest.approx(wall_s, abs=0.05)
    assert encoded.end_time_unix_nano - encoded.start_time_unix_nano == pytest.approx(1.5e9, abs=1000)


def test_batches_do_not_keep_the_spans_of_earlier_ones() -> None:
    encoder = BatchEncoder(RESOURCE)
    for name in ("one", "two"):
        batch = encoder.encoded([Span(name, IDS, None, 1.0, 2.0)])
        assert [span.name for span in batch.resource_spans[0].scope_spans[0].spans] == [name]
