"""Tracer: decides which traces are kept, and makes the spans of requests after their answers."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from mesh.token_bucket import TokenBucket
from mesh.tracing.spans import Span, SpanSink, Value
from mesh.tracing.traceparent import SpanId, Traceparent, new_span, parse
from supervisor.answers import NO_TIMINGS, Answer, ReasonWord, Source
from supervisor.tracing.slowest import Slowest

if TYPE_CHECKING:
    from supervisor.tracing.cohort_trace import CohortTrace

Kept = Literal["share", "caller", "partial", "fallback", "late", "slow"]  # why a trace is kept
# Kept traces of one kind in a second, and in a burst: with more, an overload or a caller that samples everything would
# cost CPU when there is none. The metrics count the others.
MOST_PER_S = 20.0


class RequestTrace:
    """The trace of one request. `kept` is why it is kept, or None: then its answer may still be a reason.

    `cohort` is the trace of its cohort, once it has departed.
    """

    __slots__ = ("_ids", "_parent", "_tracer", "cohort", "kept")

    def __init__(self, tracer: Tracer, parent: SpanId | None, kept: Kept | None) -> None:
        self._tracer = tracer
        self._parent = parent
        self._ids: SpanId | None = None  # until somebody needs them: few traces are kept
        self.kept = kept
        self.cohort: CohortTrace | None = None

    @property
    def ids(self) -> SpanId:
        """The ids of the span of the request."""
        if self._ids is None:
            self._ids = new_span(0 if self._parent is None else self._parent.trace_id)
        return self._ids

    @property
    def trace_id(self) -> str:
        """The id of the trace, as exemplars name it."""
        return f"{self.ids.trace_id:032x}"

    @property
    def sink(self) -> SpanSink:
        """The receiver of the spans."""
        return self._tracer.sink

    def is_kept(self, answer: Answer, total_s: float, is_late: bool, version: tuple[str, str]) -> bool:
        """Decides whether the trace is kept, once, after the answer of a `version` of a game.

        The answer came `total_s` after the admission, and `is_late` if it came after the deadline.
        """
        is_slow = self._tracer.slowest(version).is_slow(total_s)
        if self.kept is None:
            why = _why(answer, is_late, is_slow)
            self.kept = None if why is None else self._tracer.admitted(why)
        return self.kept is not None

    def end(self, answer: Answer, total_s: float, attributes: Mapping[str, Value]) -> str:
        """Makes the span of the request, whose trace is kept; returns the id of the trace."""
        links = () if self.cohort is None else self.cohort.join(self)
        end_s = time.monotonic()
        described = {**attributes, **_described(answer), "mesh.kept_for": self.kept or ""}
        error = str(answer.reason) if answer.reason and answer.reason.word is ReasonWord.INTERNAL else ""
        self.sink.emit(
            Span("request", self.ids, self._parent, end_s - total_s, end_s, described, links, "server", error)
        )
        return self.trace_id


class Tracer:
    """Begins the traces of requests, whose spans `sink` receives; keeps `share_percent` of the ordinary ones.

    `clock` is monotonic, in seconds; `uniform` returns a random number from 0 to 1.
    """

    def __init__(
        self,
        sink: SpanSink,
        share_percent: float,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.sink = sink
        self._share = share_percent / 100
        self._clock = clock
        self._uniform = uniform
        self._bounds: defaultdict[Kept, TokenBucket] = defaultdict(lambda: TokenBucket(MOST_PER_S, MOST_PER_S))
        self._slowest: defaultdict[tuple[str, str], Slowest] = defaultdict(Slowest)

    def begin(self, traceparent: str) -> RequestTrace:
        """Begins the trace of a request, or continues that of its caller in the header `traceparent`."""
        caller = parse(traceparent) if traceparent else None
        return RequestTrace(self, None if caller is None else caller.span, self._kept_by(caller))

    def slowest(self, version: tuple[str, str]) -> Slowest:
        """Returns the slowest answers of a version: its game and its name."""
        return self._slowest[version]

    def admitted(self, kept: Kept) -> Kept | None:
        """Returns `kept`, or None if too many traces are kept for this reason."""
        if self._bounds[kept].take(self._clock()) > 0:
            self.sink.skip()
            return None
        return kept

    def _kept_by(self, caller: Traceparent | None) -> Kept | None:
        if caller is not None and caller.is_sampled:
            kept = self.admitted("caller")
            if kept is not None:
                return kept
        return self.admitted("share") if self._uniform() < self._share else None


def _why(answer: Answer, is_late: bool, is_slow: bool) -> Kept | None:
    if answer.source is Source.PARTIAL:
        return "partial"
    # A held-out player gets the fallback by design: that is not a fault of the mesh.
    if answer.source is Source.FALLBACK and not (answer.reason and answer.reason.word is ReasonWord.HOLDOUT):
        return "fallback"
    if is_late:
        return "late"
    return "slow" if is_slow else None


def _described(answer: Answer) -> dict[str, Value]:
    described: dict[str, Value] = {"mesh.source": answer.source.name}
    if answer.reason is not None:
        described["mesh.reason"] = answer.reason.word.value
    if answer.missing:
        described["mesh.missing_models"] = ", ".join(model for model, _ in answer.missing)
    times = answer.timings
    if times != NO_TIMINGS:
        described["mesh.queue_ms"] = 1000 * times.queue_s
        described["mesh.features_ms"] = 1000 * times.features_s
        described["mesh.fan_out_ms"] = 1000 * times.fan_out_s
        described["mesh.combine_ms"] = 1000 * times.combine_s
        described["mesh.last_model"] = times.last_model
    return described
