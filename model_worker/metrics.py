"""The worker's tally in Prometheus's text format; imported at the first scrape, for a quick start."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from model_worker.identity import Engine, Identity
from model_worker.tally import Spread, Tally


def exposition(identity: Identity, tally: Tally, in_flight: int) -> bytes:
    """All metrics of a worker as text, version 0.0.4 of the format."""
    registry = CollectorRegistry()
    registry.register(_WorkerCollector(identity, tally, in_flight))
    return generate_latest(registry)


class _WorkerCollector(Collector):
    def __init__(self, identity: Identity, tally: Tally, in_flight: int) -> None:
        self._identity = identity
        self._tally = tally
        self._in_flight = in_flight

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        yield InfoMetricFamily("mesh_worker_model", "The model that is served", _facts(self._identity))
        yield _fallback(self._identity.engine)
        yield GaugeMetricFamily("mesh_worker_in_flight", "Requests admitted and not yet answered", self._in_flight)
        yield _histogram("mesh_worker_queue_seconds", "Wait of a request", tally.queue_s)
        yield _histogram("mesh_worker_predict_seconds", "Time of a batch", tally.predict_s)
        yield _histogram("mesh_worker_batch_rows", "Rows of a batch", tally.batch_rows)
        yield CounterMetricFamily(
            "mesh_worker_busy_seconds", "Time for which the predict thread was busy", tally.busy_s
        )
        yield CounterMetricFamily("mesh_worker_expired", "Requests expired in the queue", tally.expired)
        refused = CounterMetricFamily("mesh_worker_refused", "Requests refused at the door", labels=["code"])
        for code, count in tally.refused.items():
            refused.add_metric([code], count)
        yield refused


def _histogram(name: str, documentation: str, spread: Spread) -> HistogramMetricFamily:
    bounds = [*(str(float(bound)) for bound in spread.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(spread.counts), strict=True))
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=spread.sum)


def _fallback(engine: Engine) -> GaugeMetricFamily:
    documentation = "1 where LightGBM serves instead of the forest engine"
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
