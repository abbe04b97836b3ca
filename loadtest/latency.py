"""Numbers from latencies: percentiles of a run, medians of rounds, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Level:
    """What was answered at one load: requests a second and percentiles of the latency."""

    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def level_of(latencies_ms: Sequence[float], seconds: float) -> Level:
    """The level of a run of `seconds`; at least one latency."""
    p50_ms, p95_ms, p99_ms = percentiles(latencies_ms, 50, 95, 99)
    return Level(len(latencies_ms) / seconds, p50_ms, p95_ms, p99_ms)


def median_level(levels: Sequence[Level]) -> Level:
    """The median of each number by itself; at least one level."""
    return Level(
        rps=statistics.median(level.rps for level in levels),
        p50_ms=statistics.median(level.p50_ms for level in levels),
        p95_ms=statistics.median(level.p95_ms for level in levels),
        p99_ms=statistics.median(level.p99_ms for level in levels),
    )


def percentiles(values: Sequence[float], *percents: float) -> list[float]:
    """Linearly interpolated percentiles of `values`, at least one, in the order asked."""
    return [float(value) for value in np.percentile(np.asarray(values), percents)]


def ratio(measured: float, reference: float) -> float:
    """`measured` over `reference`; infinite over zero."""
    return measured / reference if reference else float("inf")
