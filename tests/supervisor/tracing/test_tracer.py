"""Tracer: the traces that are kept, and the spans of requests."""

from __future__ import annotations

import random

import pytest

from mesh.tracing.spans import Span
from supervisor.answers import HELD_OUT, Answer, Reason, ReasonWord, Source, Timings
from supervisor.tracing.slowest import Slowest
from supervisor.tracing.tracer import MOST_PER_S, Tracer

WHOLE = Answer(Source.ENSEMBLE, None, timings=Timings(0.001, 0.002, 0.003, 0.004, "m1"))
LATE = Answer(Source.FALLBACK, Reason(ReasonWord.DEADLINE, "late"))
OF_VERSION = ("g", "v1")
SAMPLED, NOT_SAMPLED = ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + flags for flags in ("01", "00"))


class Spans:
    def __init__(self) -> None:
        self.made: list[Span] = []
        self.skipped = 0

    def emit(self, span: Span) -> None:
        self.made.append(span)

    def skip(self) -> None:
        self.skipped += 1


def tracer_of(spans: Spans, share: float = 0.0) -> Tracer:
    return Tracer(spans, share, clock=lambda: 1000.0, uniform=random.Random(1).random)


def end(tracer: Tracer, answer: Answer = WHOLE, *, is_late: bool = False, traceparent: str = "") -> str:
    trace = tracer.begin(traceparent)
    return trace.end(answer, 0.01, {}) if trace.is_kept(answer, 0.01, is_late, OF_VERSION) else ""


@pytest.mark.parametrize(
    ("answer", "is_late", "traceparent", "kept"),
    [
        (WHOLE, False, "", None),
        (WHOLE, False, NOT_SAMPLED, None),
        (WHOLE, False, SAMPLED, "caller"),
        (WHOLE, True, "", "late"),
        (LATE, False, "", "fallback"),
        (Answer(Source.FALLBACK, HELD_OUT), False, "", None),
        (WHOLE._replace(source=Source.PARTIAL, missing=(("m2", "no vote"),)), False, "", "partial"),
    ],
)
def test_answer_and_caller_decide_whether_a_trace_is_kept(
    answer: Answer, is_late: bool, traceparent: str, kept: str | None
) -> None:
    spans = Spans()
    trace_id = end(tracer_of(spans), answer, is_late=is_late, traceparent=traceparent)
    assert [span.attributes["mesh.kept_for"] for span in spans.made] == ([kept] if kept else [])
    assert trace_id == (f"{spans.made[0].ids.trace_id:032x}" if kept else "")


def test_share_of_ordinary_traces_is_kept() -> None:
    spans, now_s = Spans(), 0.0
    tracer = Tracer(spans, 10, clock=lambda: now_s, uniform=random.Random(1).random)
    for _ in range(2000):
        now_s += 1.0
        end(tracer)
    assert 150 < len(spans.made) < 250


def test_span_continues_the_trace_of_the_caller() -> None:
    spans = Spans()
    end(tracer_of(spans), traceparent=SAMPLED)
    (span,) = spans.made
    assert span.parent is not None
    assert f"{span.ids.trace_id:032x}-{span.parent.span_id:016x}" == SAMPLED[3:-3]
    assert span.ids.span_id != span.parent.span_id
    assert (span.attributes["mesh.source"], span.attributes["mesh.fan_out_ms"]) == ("ENSEMBLE", 3.0)


def test_caller_that_samples_everything_keeps_a_bounded_number_of_traces() -> None:
    spans = Spans()
    tracer = tracer_of(spans)
    for _ in range(100):
        end(tracer, traceparent=SAMPLED)
    kept = [span for span in spans.made if span.attributes["mesh.kept_for"] == "caller"]
    assert (len(kept), spans.skipped) == (MOST_PER_S, 100 - MOST_PER_S)


def test_overload_keeps_a_bounded_number_of_traces() -> None:
    spans = Spans()
    tracer = tracer_of(spans)
    for _ in range(100):
        end(tracer, LATE)
    assert (len(spans.made), spans.skipped) == (MOST_PER_S, 100 - MOST_PER_S)


def test_slowest_percent_is_found_before_and_after_a_change_of_the_load() -> None:
    slowest, rng = Slowest(), random.Random(7)
    for factor in (1.0, 5.0, 0.3):
        for _ in range(3000):
            slowest.is_slow(factor * rng.lognormvariate(-4, 0.5))
        slow = sum(slowest.is_slow(factor * rng.lognormvariate(-4, 0.5)) for _ in range(20_000))
        assert 0.008 < slow / 20_000 < 0.012
