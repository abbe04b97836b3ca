"""Answers by source and by time, as histograms of bounded size that several processes can add up."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from loadtest.swarm.histogram import bucket_at, bucket_of, value_of

SOURCES = ("ENSEMBLE", "PARTIAL", "FALLBACK", "error")
MAX_POINTS = 1_800  # then two neighbours become one point
QUANTILES = {"p50": 50, "p95": 95, "p99": 99}
Counts = dict[str, dict[str, dict[str, int]]]
Histograms = dict[str, Counter[int]]


class Timeline:
    """Histograms of the latencies by source, for each span of `width_s` seconds (epoch); and unknown players."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._points: dict[int, Histograms] = {}
        self.width_s = 1
        self.unknown = 0

    def add(self, source: str, latency_ms: float, *, is_unknown: bool = False) -> None:
        """Counts one answer now."""
        self._point(int(self._clock())).setdefault(source, Counter())[bucket_of(latency_ms)] += 1
        self.unknown += is_unknown

    def take(self) -> dict[str, Any]:
        """Returns all counts as plain data and clears them: the report of a worker process."""
        points: Counts = {
            str(second): {name: {str(bucket): n for bucket, n in one.items()} for name, one in sources.items()}
            for second, sources in self._points.items()
        }
        taken = {"points": points, "unknown": self.unknown}
        self.clear()
        return taken

    def merge(self, taken: dict[str, Any]) -> None:
        """Adds the counts that `take` returned in another process."""
        self.unknown += taken["unknown"]
        for second, sources in taken["points"].items():
            for name, counts in sources.items():
                added = Counter({int(bucket): n for bucket, n in counts.items()})
                self._point(int(second)).setdefault(name, Counter()).update(added)

    def clear(self) -> None:
        """Removes all counts."""
        self._points.clear()
        self.width_s, self.unknown = 1, 0

    def points(self, *, until_s: float | None = None) -> Iterator[tuple[int, Histograms]]:
        """The start of each span in order, with its histograms; spans that end after `until_s` are left out."""
        if not self._points:
            return
        last = max(self._points) if until_s is None else int(until_s) - self.width_s
        for second in range(min(self._points), last + 1, self.width_s):
            yield second, self._points.get(second, {})

    def between(self, start_s: float, end_s: float) -> tuple[Histograms, float]:
        """The histograms of the spans within [`start_s`, `end_s`], added up, and the seconds of these spans."""
        first = math.ceil(start_s / self.width_s) * self.width_s
        spans = range(first, math.floor(end_s / self.width_s) * self.width_s, self.width_s)
        total: Histograms = {}
        for second in spans:
            for name, counts in self._points.get(second, {}).items():
                total.setdefault(name, Counter()).update(counts)
        return total, float(len(spans) * self.width_s)

    def _point(self, second: int) -> Histograms:
        start = second - second % self.width_s
        if start not in self._points and len(self._points) >= MAX_POINTS:
            self._halve()
            start = second - second % self.width_s
        return self._points.setdefault(start, {})

    def _halve(self) -> None:
        self.width_s *= 2
        old, self._points = self._points, {}
        for second, sources in old.items():
            merged = self._points.setdefault(second - second % self.width_s, {})
            for name, counts in sources.items():
                merged.setdefault(name, Counter()).update(counts)


def row_of(histograms: Histograms) -> dict[str, float]:
    """The number of answers, the percentage of full answers and of errors, and percentiles of the latency in ms."""
    every = sum(histograms.values(), Counter[int]())
    answers = every.total()
    shares = {
        name: round(100 * histograms.get(source, Counter()).total() / answers, 2) if answers else 0.0
        for name, source in (("full", "ENSEMBLE"), ("errors", "error"))
    }
    times = {name: value_of(bucket_at(every, percent)) if answers else 0.0 for name, percent in QUANTILES.items()}
    return {"answers": answers, **shares, **times}
