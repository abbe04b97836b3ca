"""The time of each stage over many answers, as histograms of bounded size that several processes can add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from loadtest.swarm.histogram import bucket_at, bucket_of, value_of

STAGES = ("queue", "features", "fan-out", "combine", "total")
TAIL = 0.05
LEAST_TAIL = 20  # answers: the models of fewer slow answers are chance
TOO_FEW = "too few"
MAX_MODELS = 256  # limits the number of counters, whatever names a server sends

Counts = dict[str, dict[str, int]]


class Stages:
    """Histograms of every stage, and of the latencies by the model that was last."""

    def __init__(self) -> None:
        self._stages = {stage: Counter[int]() for stage in STAGES}
        self._last: dict[str, Counter[int]] = {}

    def add(self, latency_ms: float, timings: Any) -> None:
        """Counts one answer; `timings` is the protobuf message."""
        values = (timings.queue_ms, timings.features_ms, timings.fan_out_ms, timings.combine_ms, timings.total_ms)
        for stage, value_ms in zip(STAGES, values, strict=True):
            self._stages[stage][bucket_of(value_ms)] += 1
        if timings.last_model and (timings.last_model in self._last or len(self._last) < MAX_MODELS):
            self._last.setdefault(timings.last_model, Counter())[bucket_of(latency_ms)] += 1

    def take(self) -> dict[str, Counts]:
        """Returns all counts as plain data and clears them: the report of a worker process."""
        taken = {"stages": _plain(self._stages), "last": _plain(self._last)}
        self.clear()
        return taken

    def merge(self, taken: dict[str, Counts]) -> None:
        """Adds the counts that `take` returned in another process."""
        for stage, counts in taken["stages"].items():
            self._stages[stage].update(_counter(counts))
        for model, counts in taken["last"].items():
            self._last.setdefault(model, Counter()).update(_counter(counts))

    def clear(self) -> None:
        """Removes all counts."""
        for counts in self._stages.values():
            counts.clear()
        self._last.clear()

    def rows(self) -> Iterator[dict[str, str | float]]:
        """The rows of the table: stages in ms, then models in descending order of how often they were last."""
        for stage, counts in self._stages.items():
            if counts:
                p50, p95, p99 = (value_of(bucket_at(counts, percent)) for percent in (50, 95, 99))
                yield {"what": stage, "p50": p50, "p95": p95, "p99": p99, "last": "", "tail": ""}
        latencies = sum(self._last.values(), Counter[int]())
        edge = bucket_at(latencies, 100 * (1 - TAIL)) if latencies else 0
        tails = {
            model: sum(n for bucket, n in counts.items() if bucket >= edge) for model, counts in self._last.items()
        }
        slow = sum(tails.values())
        for model, counts in sorted(self._last.items(), key=lambda item: -item[1].total()):
            last = f"{counts.total() / latencies.total():.1%}"
            tail = f"{tails[model] / slow:.1%}" if slow >= LEAST_TAIL else TOO_FEW
            yield {"what": f"model {model}", "p50": "", "p95": "", "p99": "", "last": last, "tail": tail}


def _plain(counters: dict[str, Counter[int]]) -> Counts:
    return {name: {str(bucket): n for bucket, n in counts.items()} for name, counts in counters.items() if counts}


def _counter(counts: dict[str, int]) -> Counter[int]:
    return Counter({int(bucket): n for bucket, n in counts.items()})
