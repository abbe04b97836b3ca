"""The Prometheus metrics of the decision logs (docs/metrics.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from supervisor.decisions.logs import DecisionLogs

REASONS = ("buffer-full", "queue-full", "writer-down", "sink", "stopped", "broken", "failed")  # from the start at 0


class DecisionMetrics(Collector):
    """Reads the state of the logs when it is asked."""

    def __init__(self, logs: DecisionLogs) -> None:
        self._logs = logs

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of all games with a log."""
        logs = self._logs.all()
        written = CounterMetricFamily(
            "mesh_decisions", "Answers and outcomes in complete files of the decision log.", labels=("game",)
        )
        dropped = CounterMetricFamily(
            "mesh_decisions_dropped", "Answers and outcomes missing in the decision log.", labels=("game", "reason")
        )
        buffered = GaugeMetricFamily(
            "mesh_decisions_buffered_bytes",
            "Memory of answers and outcomes that are not written yet.",
            labels=("game",),
        )
        age = GaugeMetricFamily(
            "mesh_decisions_flush_age_seconds",
            "Time since the last complete file while records wait for one; 0 while none waits.",
            labels=("game",),
        )
        for log in logs:
            written.add_metric((log.game,), log.written)
            found = log.dropped
            for reason in (*REASONS, *(found.keys() - REASONS)):
                dropped.add_metric((log.game, reason), found[reason])
            buffered.add_metric((log.game,), log.buffered_bytes)
            age.add_metric((log.game,), log.flush_age_s(time.time()))
        yield from (written, dropped, buffered, age)
