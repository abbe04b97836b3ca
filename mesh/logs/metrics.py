"""The metric of dropped log lines, of both services; imported only where metrics are made."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from mesh.logs.setup import LogOutput


class LogMetrics(Collector):
    """Collects the counts of `output`."""

    def __init__(self, output: LogOutput) -> None:
        self._output = output

    def collect(self) -> Iterator[Metric]:
        """Yields the metric."""
        dropped = CounterMetricFamily("mesh_log_lines_dropped", "Log lines that were dropped.", labels=["reason"])
        for reason, count in self._output.dropped().items():
            dropped.add_metric([reason], count)
        yield dropped
