"""The cost of traces: its report, and the options of the command."""

from __future__ import annotations

import argparse

import pytest

from loadtest.measurement.comparison import Comparison
from loadtest.measurement.latency import Level
from loadtest.measurement.point import Point
from loadtest.tracing import command
from loadtest.tracing.report import AGAIN, OFF, ON, Traced, report_of


def points(*cpu_s: float) -> tuple[Point, ...]:
    level = Level(rps=100, p50_ms=1.0, p95_ms=2.0, p99_ms=3.0)
    return tuple(Point(1.0, level, 100, {}, 0.0, {"supervisor": one}, 0.0) for one in cpu_s)


MEASURED = {OFF: points(1.0, 2.0, 4.0), ON: points(1.03, 2.2, 4.12), AGAIN: points(1.0, 1.8, 4.4)}


def test_report_compares_each_mesh_with_the_one_without_traces_round_by_round() -> None:
    report = report_of([Traced(Comparison("w15", "64 callers", MEASURED), 2**20)], 1.0, "machine")
    rows = {row["mesh"]: row for row in report.document["rows"]}  # type: ignore[attr-defined]
    assert [rows[name]["cpu_ratio"] for name in (OFF, ON, AGAIN)] == pytest.approx([1.0, 1.03, 1.0])
    assert (rows[ON]["cpu_low"], rows[ON]["cpu_high"]) == pytest.approx((1.03, 1.065))
    assert [rows[name]["received_mb"] for name in (OFF, ON, AGAIN)] == [0.0, 1.0, 0.0]
    (aim,) = report.aims
    assert aim.measured == pytest.approx(1.03)
    assert not aim.met


def test_rate_replaces_the_callers() -> None:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    assert parser.parse_args(["--rate", "250"]).rate == 250
    assert parser.parse_args([]).rate is None
