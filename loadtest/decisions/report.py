"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.decisions.log_metrics import LogState
from loadtest.measurement.aims import Aim
from loadtest.measurement.comparison import COUNT, FIGURES, RATIO, US, Column, OnOff, figures, table_of
from loadtest.measurement.point import Point
from loadtest.report import Report

LEAST = 0.97  # of the rate, and of the answers for the same CPU
TITLE = "The decision log: CPU of an answer in all processes, the writer's included"
COLUMNS = {
    "workload": Column("workload"),
    "callers": Column("callers", COUNT),
    "log": Column("log"),
    **FIGURES,
    "supervisor_us": Column("supervisor us", US),
    "writer_us": Column("writer us", US),
    "rps_ratio": Column("rate", RATIO),
    "cpu_ratio": Column("per CPU", RATIO),
    "dropped": Column("dropped", ",.0f"),
    "buffered_mb": Column("MiB", ".1f"),
}


@dataclass(frozen=True, slots=True)
class Pair(OnOff):
    """The points without the log and with it, round by round; `state` is that of the log at the end of its workload."""

    state: LogState


def report_of(pairs: Sequence[Pair], sink: str, machine: str) -> Report:
    """Returns the report."""
    rows = [_row(pair, name, points) for pair in pairs for name, points in (("off", pair.off), (sink, pair.on))]
    aims = [
        aim
        for pair in pairs
        for aim in (
            Aim(f"{pair.workload}, {pair.callers} callers: answers/s, log / none", pair.rps_ratio, LEAST, True),
            Aim(f"{pair.workload}, {pair.callers} callers: answers per CPU, log / none", pair.cpu_ratio, LEAST, True),
        )
    ]
    return Report({"machine": machine, "sink": sink, "rows": rows}, [table_of(TITLE, COLUMNS, rows)], aims)


def _row(pair: Pair, name: str, points: Sequence[Point]) -> dict[str, object]:
    is_on = points is pair.on
    return {
        "workload": pair.workload,
        "callers": pair.callers,
        "log": name,
        **figures(points, "supervisor", "writer"),
        "rps_ratio": pair.rps_ratio if is_on else 1.0,
        "cpu_ratio": pair.cpu_ratio if is_on else 1.0,
        "written": pair.state.written if is_on else 0.0,
        "dropped": pair.state.dropped if is_on else 0.0,
        "buffered_mb": pair.state.buffered_bytes / 2**20 if is_on else 0.0,
    }
