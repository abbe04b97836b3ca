"""The metrics of the export of spans, of both services; imported only where metrics are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class SpanCounts(Protocol):
    """The counts of an export. `SpanExport` implements it."""

    @property
    def sent(self) -> int:
        """The number of spans that the collector took."""
        ...

    def dropped(self) -> dict[str, int]:
        """Returns the number of dropped spans by reason."""
        ...


class TraceMetrics(Collector):
    """Collects the counts of `export`."""

    def __init__(self, export: SpanCounts) -> None:
        self._export = export

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        yield CounterMetricFamily("mesh_trace_spans", "Spans that the collector took.", self._export.sent)
        dropped = CounterMetricFamily("mesh_trace_spans_dropped", "Spans that were dropped.", labels=["reason"])
        for reason, count in self._export.dropped().items():
            dropped.add_metric([reason], count)
        yield dropped
