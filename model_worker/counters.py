"""The counters of a worker: plain numbers, written on the event loop and read at a scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from mesh.errors import Expired
from mesh.telemetry import LATENCY_BUCKETS_S
from model_worker.batch import Batch, Scored

BATCH_ROWS_BUCKETS = tuple(2**power for power in range(15))


class HistogramCounts:
    """The counts of a histogram: counts[i] is for (bounds[i - 1], bounds[i]], and the last has no upper bound."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Counts `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class WorkerCounters:
    """The counters of one worker since its start; times are in seconds."""

    def __init__(self) -> None:
        self.queue_s = HistogramCounts(LATENCY_BUCKETS_S)
        self.predict_s = HistogramCounts(LATENCY_BUCKETS_S)
        self.batch_rows = HistogramCounts(BATCH_ROWS_BUCKETS)
        self.busy_s = 0.0
        self.expired = 0
        self.refused: Counter[str] = Counter()

    def record(self, batch: Batch) -> None:
        """Counts one turn of scoring."""
        busy_s = batch.busy_ns / 1e9
        self.busy_s += busy_s
        if batch.rows:
            self.predict_s.observe(busy_s)
            self.batch_rows.observe(batch.rows)
        for _, outcome in batch.outcomes:
            if isinstance(outcome, Scored):
                self.queue_s.observe(outcome.queue_ns / 1e9)
            elif isinstance(outcome, Expired):
                self.expired += 1

    def refuse(self, code: str) -> None:
        """Counts a request that was not admitted, by the name of its gRPC status code."""
        self.refused[code] += 1
