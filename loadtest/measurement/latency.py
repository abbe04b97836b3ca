"""Statistics of measurements: percentiles of latencies, medians of rounds, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Level:
    """The answers at one load: requests a second, and percentiles of the latency."""

    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def level_of(latencies_ms: Sequence[float], seconds: float) -> Level:
    """The level of a run of `seconds` with at least one latency."""
    p50_ms, p95_ms, p99_ms = percentiles(latencies_ms, 50, 95, 99)
    return Level(len(latencies_ms) / seconds, p50_ms, p95_ms, p99_ms)


def median(rounds: Sequence[_Result]) -> _Result:
    """The median of each number on its own, in numbers, dataclasses and mappings that all have the same shape.

    Needs at least one round.
    """
    result: Any = _median(rounds)
    return result  # type: ignore[no-any-return]


def _median(rounds: Sequence[Any]) -> Any:
    first = rounds[0]
    if isinstance(first, int | float):
        return statistics.median(rounds)
    if isinstance(first, Mapping):
        return {key: _median([one[key] for one in rounds]) for key in first}
    names = [field.name for field in fields(first)]
    return type(first)(**{name: _median([getattr(one, name) for one in rounds]) for name in names})


def percentiles(values: Sequence[float], *percents: float) -> list[float]:
    """The linearly interpolated percentiles of at least one value, in the order of `percents`."""
    return [float(value) for value in np.percentile(np.asarray(values), percents)]


def ratio(measured: float, reference: float) -> float:
    """`measured` over `reference`; infinite if `reference` is zero."""
    return measured / reference if reference else float("inf")
