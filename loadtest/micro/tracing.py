"""`python -m loadtest.micro.tracing`: the CPU of each part of a trace, with traces off, on, and for a kept trace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, cast

import numpy as np
from opentelemetry.sdk.resources import Resource

from loadtest.micro.timing import REPEATS, best_us
from mesh.players.features import Columns
from mesh.tracing.encoding import BatchEncoder
from mesh.tracing.export import SpanExport
from mesh.tracing.options import TraceOptions
from mesh.tracing.spans import Span
from mesh.wire import inference_pb2 as oip
from model_worker.batch import Scored
from model_worker.tracing import WorkerTracer
from supervisor.answers import Answer, Source, Timings
from supervisor.ballot import Ballot, ModelVote, Place
from supervisor.features.cache import CohortFeatures
from supervisor.lane_reply import ScoreReply
from supervisor.rows import Passenger
from supervisor.shipment import Shipment
from supervisor.ticket import Ticket
from supervisor.tracing.cohort_trace import CohortTrace, cohort_trace
from supervisor.tracing.tracer import Kept, Tracer

if TYPE_CHECKING:
    from supervisor.encoding import RowMatrix

MODELS, REQUESTS, BATCH = 15, 30, 512
_ADDRESS = "127.0.0.1:50051"
_ANSWER = Answer(Source.ENSEMBLE, None, timings=Timings(0.001, 0.002, 0.003, 0.004, "m00"))
_READ = CohortFeatures(Columns((), ()), (None,) * REQUESTS)
_REPLY = ScoreReply(np.zeros(REQUESTS), 0.003, 0.0, 0.001)

_SCORED = Scored(b"", 3_000_000, 1_000_000, 0.0)
_SAMPLED = oip.ModelInferRequest()
_SAMPLED.parameters["traceparent"].string_param = f"00-{1:032x}-{2:016x}-01"


class _Spans:
    """Keeps the last spans, as a queue does until they are exported."""

    def __init__(self) -> None:
        self.made: deque[Span] = deque(maxlen=BATCH)

    def emit(self, span: Span) -> None:
        self.made.append(span)

    def skip(self) -> None: ...


def main() -> None:
    """Prints microseconds of each part, the best of seven runs."""
    asyncio.run(_measure())


async def _measure() -> None:
    spans = _Spans()
    tracer, worker = Tracer(spans, 0.0), WorkerTracer(_Spans(), "m00", 0.0, clock=count().__next__)
    _print_off()
    _print_not_kept(tracer)
    _print("kept: a request and its span", best_us(lambda: _request(tracer, "share")))
    tickets = _tickets(tracer)
    cohort_us = best_us(lambda: _kept_cohort(tracer, tickets), calls=200)
    _print(f"kept: the {MODELS + 2} spans of a cohort with {MODELS} messages", cohort_us)
    _print("kept: a message in a worker and its span", best_us(lambda: _message_in_worker(worker)))
    await _print_export(list(spans.made))


def _print_off() -> None:
    tickets = _tickets(None)
    shipment = _shipment(None)
    _print("off: a request", best_us(lambda: _request_off(None, tickets[0])))
    _print(f"off: a cohort of {REQUESTS} requests", best_us(lambda: cohort_trace(tickets)))
    _print("off: a message to a replica", best_us(lambda: _message(shipment)))


def _print_not_kept(tracer: Tracer) -> None:
    tickets = _tickets(tracer)
    shipment = _shipment(cohort_trace(tickets))
    _print("not kept: a request", best_us(lambda: _request(tracer)))
    _print(f"not kept: a cohort of {REQUESTS} requests", best_us(lambda: cohort_trace(tickets)))

    def renew() -> None:
        shipment.vote.trace = cohort_trace(tickets)

    _print("not kept: a message to a replica", best_us(lambda: _message(shipment), renew))
    worker, message = WorkerTracer(_Spans(), "m00", 0.0), oip.ModelInferRequest()
    _print("not kept: a message in a worker", best_us(lambda: worker.of_message(message)))


async def _print_export(made: Sequence[Span]) -> None:
    encoder = BatchEncoder(Resource.create({}))
    _print("kept: a span into the queue of the export", await _queued_us(made[0]))
    encoded_us = best_us(lambda: encoder.encoded(made).SerializeToString(), calls=20) / len(made)
    _print("kept: a span encoded on the thread of the export", encoded_us)


async def _queued_us(span: Span) -> float:
    export = SpanExport(TraceOptions("127.0.0.1:9"), {}, {})  # nobody listens
    calls = BATCH // 2 // REPEATS  # fewer spans than a batch, which would start an export
    try:
        return best_us(lambda: export.emit(span), calls=calls)
    finally:
        await export.close()


def _request_off(tracer: Tracer | None, ticket: Ticket) -> bool:
    """The work of a request without traces: a comparison at its arrival, its beginning and its answer."""
    return tracer is None and tracer is None and ticket.trace is None


def _request(tracer: Tracer, kept: Kept | None = None) -> None:
    trace = tracer.begin("")
    trace.kept = kept
    if trace.is_kept(_ANSWER, 0.0, False, ("w15", "1")):
        trace.end(_ANSWER, 0.01, {"mesh.game": "w15", "mesh.version": "1", "mesh.decision_id": "d"})


def _message(shipment: Shipment) -> None:
    shipment.begin_span(_ADDRESS)
    shipment.end_span(_REPLY)


def _message_in_worker(tracer: WorkerTracer) -> None:
    trace = tracer.of_message(_SAMPLED)
    assert trace is not None
    trace.end(_SCORED)


def _kept_cohort(tracer: Tracer, tickets: list[Ticket]) -> None:
    """The work of a cohort whose lead is known at the departure, without the spans of its requests."""
    lead = tracer.begin("")
    lead.kept, tickets[0].trace = "share", lead
    trace = cohort_trace(tickets)
    assert trace is not None
    trace.record_read(_READ)
    shipment = _shipment(trace)
    for _ in range(MODELS):
        _message(shipment)
    trace.join(lead)
    trace.emit(1.0)


def _tickets(tracer: Tracer | None) -> list[Ticket]:
    tickets = [Ticket("p1", Passenger({}, range(1)), 1, None, 0.0, 1.0) for _ in range(REQUESTS)]
    for ticket in tickets:
        ticket.trace = None if tracer is None else tracer.begin("")
    return tickets


def _shipment(trace: CohortTrace | None) -> Shipment:
    ballot = Ballot(["m00"], REQUESTS, 1, lambda: None)
    ballot.trace = trace
    no_rows = cast("RowMatrix", None)  # no message is encoded
    return Shipment(ModelVote([Place(ballot, 0)], no_rows, 1, 0, 0.0), 0, REQUESTS)


def _print(part: str, cost_us: float) -> None:
    print(f"{part:<50} {cost_us:8.2f} us")


if __name__ == "__main__":
    main()
