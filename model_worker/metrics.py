"""The counters of a worker in the text format of Prometheus; imported at the first scrape, for a fast start."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mesh.logs.metrics import LogMetrics
from mesh.tracing.metrics import TraceMetrics
from model_worker.counters import HistogramCounts, WorkerCounters
from model_worker.identity import Engine, Identity

if TYPE_CHECKING:
    from mesh.logs.setup import LogOutput
    from mesh.tls.live import LiveTls
    from mesh.tracing.export import SpanExport


def exposition(
    identity: Identity,
    counters: WorkerCounters,
    in_flight: int,
    log_output: LogOutput | None = None,
    tls: LiveTls | None = None,
    spans: SpanExport | None = None,
) -> bytes:
    """Returns all metrics of a worker as text, in version 0.0.4 of the format."""
    registry = CollectorRegistry()
    if log_output is not None:
        registry.register(LogMetrics(log_output))
    if spans is not None:
        registry.register(TraceMetrics(spans))
    if tls is not None:
        from mesh.tls.metrics import TlsMetrics

        registry.register(TlsMetrics(tls))
    registry.register(_WorkerCollector(identity, counters, in_flight))
    return generate_latest(registry)


class _WorkerCollector(Collector):
    def __init__(self, identity: Identity, counters: WorkerCounters, in_flight: int) -> None:
        self._identity = identity
        self._counters = counters
        self._in_flight = in_flight

    def collect(self) -> Iterator[Metric]:
        counters = self._counters
        yield InfoMetricFamily("mesh_worker_model", "The model that this worker serves", _facts(self._identity))
        yield _fallback(self._identity.engine)
        yield GaugeMetricFamily("mesh_worker_in_flight", "Requests admitted and not yet answered", self._in_flight)
        yield _histogram("mesh_worker_queue_seconds", "Time of a request in the queue", counters.queue_s)
        yield _histogram("mesh_worker_predict_seconds", "Time to predict a batch", counters.predict_s)
        yield _histogram("mesh_worker_batch_rows", "Number of rows in a batch", counters.batch_rows)
        yield CounterMetricFamily("mesh_worker_busy_seconds", "Time spent on predictions", counters.busy_s)
        yield CounterMetricFamily("mesh_worker_expired", "Requests that expired in the queue", counters.expired)
        refused = CounterMetricFamily("mesh_worker_refused", "Requests that were not admitted", labels=["code"])
        for code, count in counters.refused.items():
            refused.add_metric([code], count)
        yield refused


def _histogram(name: str, documentation: str, histogram: HistogramCounts) -> HistogramMetricFamily:
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=histogram.sum)


def _fallback(engine: Engine) -> GaugeMetricFamily:
    documentation = "1 if LightGBM scores instead of the forest engine"
    fallback = GaugeMetricFamily("mesh_worker_engine_fallback", documentation, labels=["reason"])
    fallback.add_metric([engine.cause or "none"], 1 if engine.cause else 0)
    return fallback


def _facts(identity: Identity) -> dict[str, str]:
    header = identity.header
    return {
        "name": identity.name,
        "sha256": identity.sha256,
        "engine": identity.engine.name,
        "objective": header.objective,
        "trees": str(header.trees),
        "features": str(len(header.feature_names)),
    }
