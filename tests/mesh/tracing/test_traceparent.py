"""The header `traceparent`: the rules of W3C Trace Context."""

from __future__ import annotations

import pytest

from mesh.tracing.traceparent import SpanId, Traceparent, encoded, new_span, parse, sent_in

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IDS = SpanId(int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"01-{TRACE}-{SPAN}-01-more", True),
    ],
)
def test_valid_header_names_the_span_of_the_caller(text: str, is_sampled: bool) -> None:
    assert parse(text) == Traceparent(IDS, is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_invalid_header_is_ignored(text: str) -> None:
    assert parse(text) is None


def test_encoded_span_is_the_sampled_parent_of_the_next_service() -> None:
    span = new_span(IDS.trace_id)
    assert parse(encoded(span)) == Traceparent(span, True)
    assert span.trace_id == IDS.trace_id


def test_header_is_found_in_the_metadata_of_a_call() -> None:
    assert sent_in([("user-agent", "x"), ("traceparent", "here")]) == "here"
    assert sent_in([("traceparent-bin", b"x")]) == ""
    assert sent_in(None) == ""
