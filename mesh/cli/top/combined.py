"""Combines the readings of several supervisors into one interval, from which the view is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.samples import Sample

from mesh.cli.metrics_page import Page
from mesh.cli.status.interval import Interval
from mesh.cli.top.reading import Reading, Series

_EMPTY = Page({})


@dataclass(frozen=True, slots=True)
class Span:
    """Two readings of one supervisor, `seconds` apart."""

    before: Reading
    after: Reading
    seconds: float


def combined(spans: Sequence[Span]) -> Interval:
    """Returns one interval of a second: counters are the rates per second, added, and gauges those at the end.

    The gauges of several supervisors are added, or their worst one counts (`mesh.cli.top.reading`). A counter that a
    restarted supervisor counts from 0 is its own increase.
    """
    values: dict[str, float] = {}
    series: dict[str, Series] = {}
    for span in spans:
        for key, value in span.after.values.items():
            one = span.after.series[key]
            if one is None:
                continue
            if one.rule == "rate":
                value = _increase(span.before.values.get(key, 0.0), value) / span.seconds
            values[key] = _joined(one, values[key], value) if key in values else value
            series[key] = one
    return Interval(_EMPTY, _page(values, series), 1.0)


def _increase(before: float, after: float) -> float:
    return after - before if after >= before else after


def _joined(series: Series, one: float, other: float) -> float:
    match series.rule:
        case "max":
            return max(one, other)
        case "min":
            return min(one, other)
    return one + other


def _page(values: dict[str, float], series: dict[str, Series]) -> Page:
    samples: dict[str, list[Sample]] = {}
    for key, value in values.items():
        if math.isfinite(value):
            one = series[key]
            samples.setdefault(one.name, []).append(Sample(one.name, one.labels, value))
    return Page(samples)
