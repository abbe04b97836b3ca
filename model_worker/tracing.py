"""The spans of a worker: one for each message whose sender asks for it, and for a share of the other calls."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

from mesh.errors import MeshError
from mesh.token_bucket import TokenBucket
from mesh.tracing.spans import Span, SpanSink, Value
from mesh.tracing.traceparent import NAME, SpanId, new_span, parse, sent_in
from mesh.wire import inference_pb2 as oip
from model_worker.batch import Outcome

# Spans in a second, and in a burst: a supervisor keeps at most 100 traces a second.
MOST_PER_S = 200.0
MOST_REFUSED_PER_S = 20.0


class MessageTrace:
    """The span of one message or call, from its arrival to its outcome. A failed one is kept in any case."""

    __slots__ = ("_is_kept", "_parent", "_rows", "_started_s", "_tracer")

    def __init__(self, tracer: WorkerTracer, parent: SpanId | None, *, is_kept: bool) -> None:
        self._tracer = tracer
        self._parent = parent
        self._is_kept = is_kept
        self._rows = 0
        self._started_s = time.monotonic()

    def decoded(self, rows: int) -> None:
        """Records the number of rows."""
        self._rows = rows

    def end(self, outcome: Outcome) -> None:
        """Makes the span."""
        failure = outcome if isinstance(outcome, MeshError) else None
        if not self._tracer.admits(is_kept=self._is_kept, has_failed=failure is not None):
            return
        described: dict[str, Value] = {"mesh.model": self._tracer.model, "mesh.rows": self._rows}
        if not isinstance(outcome, MeshError):
            described["mesh.worker_queue_ms"] = outcome.queue_ns / 1e6
            described["mesh.worker_predict_ms"] = outcome.predict_ns / 1e6
            described["mesh.worker_starved"] = outcome.starved
        error = "" if failure is None else f"{failure.code.name}: {failure.reason}"
        name, end_s = f"score {self._tracer.model}", time.monotonic()
        ids = new_span(0 if self._parent is None else self._parent.trace_id)
        span = Span(name, ids, self._parent, self._started_s, end_s, described, (), "server", error)
        self._tracer.sink.emit(span)


class WorkerTracer:
    """Begins the traces of messages to `model`, whose spans `sink` receives.

    A message of a stream has a trace if its parameter `traceparent` says that it is sampled; a unary call, if its
    metadata say so, if it fails, or for `share_percent` of the others. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        sink: SpanSink,
        model: str,
        share_percent: float,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.sink = sink
        self.model = model
        self._share = share_percent / 100
        self._clock = clock
        self._uniform = uniform
        self._kept = TokenBucket(MOST_PER_S, MOST_PER_S)
        self._failed = TokenBucket(MOST_REFUSED_PER_S, MOST_REFUSED_PER_S)

    def of_message(self, request: oip.ModelInferRequest) -> MessageTrace | None:
        """Begins the trace of a message on a stream; None if it has none."""
        if NAME not in request.parameters:
            return None
        caller = parse(request.parameters[NAME].string_param)
        return MessageTrace(self, caller.span, is_kept=True) if caller is not None and caller.is_sampled else None

    def of_call(
        self, request: oip.ModelInferRequest, metadata: Iterable[tuple[str, str | bytes]] | None
    ) -> MessageTrace:
        """Begins the trace of a unary call; the parameter of the message counts more than the metadata."""
        named = request.parameters[NAME].string_param if NAME in request.parameters else ""
        caller = parse(named or sent_in(metadata))
        is_kept = (caller is not None and caller.is_sampled) or self._uniform() < self._share
        return MessageTrace(self, None if caller is None else caller.span, is_kept=is_kept)

    def admits(self, *, is_kept: bool, has_failed: bool) -> bool:
        """Returns whether a span is made. Counts it as dropped if there are too many."""
        if not is_kept and not has_failed:
            return False
        bucket = self._kept if is_kept else self._failed
        is_admitted = bucket.take(self._clock()) == 0
        if not is_admitted:
            self.sink.skip()
        return is_admitted
