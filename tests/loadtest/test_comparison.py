"""The medians of meshes that were measured in turn, and their tables."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from loadtest.measurement.comparison import (
    COUNT,
    RATIO,
    Column,
    OnOff,
    figures,
    median_ratio,
    quartiles_of_ratios,
    table_of,
)
from loadtest.measurement.latency import Level
from loadtest.measurement.point import Point


def point(rps: float, supervisor_s: float) -> Point:
    level = Level(rps=rps, p50_ms=rps / 10, p95_ms=rps / 5, p99_ms=rps)
    return Point(1.0, level, 100, {}, 0.0, {"supervisor": supervisor_s, "workers": 1.0}, 0.0)


OFF = (point(100, 1.0), point(200, 1.0), point(300, 3.0))
ON = (point(50, 2.0), point(200, 1.0), point(270, 3.0))


def test_ratios_are_those_within_a_round() -> None:
    pair = OnOff("w", 8, OFF, ON)
    assert pair.rps_ratio == 0.9  # of 0.5, 1 and 0.9; the medians of all rounds are equal
    assert pair.cpu_ratio == pytest.approx(1.0)
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 2.0], [1.0])


def test_half_of_the_ratios_is_between_their_quartiles() -> None:
    ones = [1.0] * 5
    assert quartiles_of_ratios([5.0, 1.0, 2.0, 4.0, 3.0], ones) == (2.0, 4.0)
    with pytest.raises(ValueError, match="longer"):
        quartiles_of_ratios([1.0], ones)


def test_figures_are_medians_and_a_part_that_is_missing_took_no_cpu() -> None:
    found = figures(OFF, "supervisor", "writer")
    assert (found["rps"], found["p50_ms"], found["p95_ms"]) == (200, 20, 40)
    assert found["supervisor_us"] == pytest.approx(10_000)
    assert found["writer_us"] == 0


def test_table_has_a_column_for_each_name() -> None:
    columns = {"name": Column("name"), "callers": Column("callers", COUNT), "ratio": Column("rate", RATIO)}
    console = Console(file=io.StringIO(), width=80)
    console.print(table_of("title", columns, [{"name": "w15", "callers": 64, "ratio": 0.98765}]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(word in text for word in ("name", "callers", "rate", "w15", "64", "0.988"))
