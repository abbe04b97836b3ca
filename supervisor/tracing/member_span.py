"""The span of one message to a replica. Its attributes are made only if the trace of its cohort is kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mesh.errors import MeshError
from mesh.tracing.spans import Span, Value
from mesh.tracing.traceparent import SpanId, new_span_id

if TYPE_CHECKING:
    from supervisor.lane_reply import ScoreReply
    from supervisor.shipment import Shipment


class MemberSpan:
    """One message to a replica at `address`, from sending to the reply. Times are monotonic.

    Copies the numbers of its shipment, which may be sent again. `span_id` is 0 until somebody needs it.
    """

    __slots__ = ("_address", "_end_s", "_is_hedged", "_model", "_outcome", "_start_s", "_tries", "rows", "span_id")

    def __init__(self, shipment: Shipment, address: str) -> None:
        self._model = shipment.vote.model
        self._address = address
        self._tries = (shipment.tries, shipment.is_second_try)
        self.rows = shipment.stop - shipment.start
        self.span_id = 0
        self._start_s = time.monotonic()
        self._end_s: float | None = None
        self._is_hedged = False
        self._outcome: ScoreReply | MeshError | None = None

    def end(self, shipment: Shipment, outcome: ScoreReply | MeshError) -> None:
        """Records the outcome of the message; `shipment` shows whether another replica got the rows, too."""
        self._end_s = time.monotonic()
        self._is_hedged = shipment.race is not None
        self._outcome = outcome

    def ids(self, trace_id: int) -> SpanId:
        """Returns the ids of the span in the trace `trace_id`."""
        if not self.span_id:
            self.span_id = new_span_id()
        return SpanId(trace_id, self.span_id)

    def span(self, cohort: SpanId, cohort_end_s: float) -> Span:
        """Returns the span, a child of that of its cohort, which ended at `cohort_end_s`."""
        tries, is_second_try = self._tries
        attributes: dict[str, Value] = {
            "mesh.model": self._model,
            "mesh.replica": self._address,
            "mesh.rows": self.rows,
            "mesh.try": tries,
            "mesh.second_try": is_second_try,
        }
        error = "no reply before the end of the cohort"
        if self._outcome is not None:
            attributes["mesh.hedged"] = self._is_hedged
            error = self._outcome.reason if isinstance(self._outcome, MeshError) else ""
        if self._outcome is not None and not isinstance(self._outcome, MeshError):
            attributes["mesh.worker_queue_ms"] = 1000 * (self._outcome.queue_s or 0.0)
            attributes["mesh.worker_predict_ms"] = 1000 * (self._outcome.predict_s or 0.0)
        end_s = cohort_end_s if self._end_s is None else self._end_s
        ids = self.ids(cohort.trace_id)
        return Span(f"member {self._model}", ids, cohort, self._start_s, end_s, attributes, (), "client", error)
