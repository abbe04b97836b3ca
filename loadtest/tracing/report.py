"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.measurement.aims import Aim
from loadtest.measurement.comparison import COUNT, FIGURES, RATIO, US, Column, OnOff, figures, table_of
from loadtest.measurement.point import Point
from loadtest.report import Report

LEAST = 0.98  # of the answers for the same CPU
COLUMNS = {
    "workload": Column("workload"),
    "callers": Column("callers", COUNT),
    "traces": Column("traces"),
    **FIGURES,
    "supervisor_us": Column("supervisor us", US),
    "rps_ratio": Column("rate", RATIO),
    "cpu_ratio": Column("per CPU", RATIO),
    "received_mb": Column("MiB", ".1f"),
}


@dataclass(frozen=True, slots=True)
class Pair(OnOff):
    """The points without traces and with them, round by round, and the size of the spans that the collector got."""

    received_bytes: int


def report_of(pairs: Sequence[Pair], share: float, machine: str) -> Report:
    """Returns the report."""
    rows = [_row(pair, name, points) for pair in pairs for name, points in (("off", pair.off), ("on", pair.on))]
    aims = [
        Aim(f"{pair.workload}, {pair.callers} callers: answers per CPU, on / off", pair.cpu_ratio, LEAST, True)
        for pair in pairs
    ]
    title = f"Traces of {share:g} %, and of faults: CPU of an answer in all processes"
    return Report({"machine": machine, "share": share, "rows": rows}, [table_of(title, COLUMNS, rows)], aims)


def _row(pair: Pair, name: str, points: Sequence[Point]) -> dict[str, object]:
    is_on = points is pair.on
    return {
        "workload": pair.workload,
        "callers": pair.callers,
        "traces": name,
        **figures(points, "supervisor"),
        "rps_ratio": pair.rps_ratio if is_on else 1.0,
        "cpu_ratio": pair.cpu_ratio if is_on else 1.0,
        "received_mb": pair.received_bytes / 2**20 if is_on else 0.0,
    }
