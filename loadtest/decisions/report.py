"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from loadtest.decisions.log_metrics import LogState
from loadtest.measurement.aims import Aim
from loadtest.measurement.point import Point
from loadtest.report import Report

LEAST = 0.97  # of the rate, and of the answers for the same CPU


@dataclass(frozen=True, slots=True)
class Pair:
    """The points without the log and with it, round by round; `state` is that of the log at the end of its workload."""

    workload: str
    callers: int
    off: tuple[Point, ...]
    on: tuple[Point, ...]
    state: LogState

    @property
    def rps_ratio(self) -> float:
        """The rate with the log, relative to the rate without it."""
        return statistics.median(on.level.rps / off.level.rps for off, on in zip(self.off, self.on, strict=True))

    @property
    def cpu_ratio(self) -> float:
        """The answers for the same CPU with the log, relative to those without it."""
        return statistics.median(off.cpu_us / on.cpu_us for off, on in zip(self.off, self.on, strict=True))


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
    return Report({"machine": machine, "sink": sink, "rows": rows}, [_table(rows)], aims)


def _row(pair: Pair, name: str, points: Sequence[Point]) -> dict[str, object]:
    is_on = points is pair.on
    return {
        "workload": pair.workload,
        "callers": pair.callers,
        "log": name,
        "rps": statistics.median(one.level.rps for one in points),
        "p50_ms": statistics.median(one.level.p50_ms for one in points),
        "p95_ms": statistics.median(one.level.p95_ms for one in points),
        "cpu_us": statistics.median(one.cpu_us for one in points),
        "supervisor_us": statistics.median(1e6 * one.cpu_s["supervisor"] / one.answers for one in points),
        "writer_us": statistics.median(1e6 * one.cpu_s.get("writer", 0.0) / one.answers for one in points),
        "rps_ratio": pair.rps_ratio if is_on else 1.0,
        "cpu_ratio": pair.cpu_ratio if is_on else 1.0,
        "written": pair.state.written if is_on else 0.0,
        "dropped": pair.state.dropped if is_on else 0.0,
        "buffered_mb": pair.state.buffered_bytes / 2**20 if is_on else 0.0,
    }


def _table(rows: Sequence[dict[str, object]]) -> Table:
    table = Table(title="The decision log: CPU of an answer in all processes, the writer's included")
    titles = (
        "workload",
        "callers",
        "log",
        "answers/s",
        "p50 ms",
        "p95 ms",
        "CPU us",
        "supervisor us",
        "writer us",
        "rate",
        "per CPU",
    )
    for title in (*titles, "dropped", "MiB"):
        table.add_column(title, justify="left" if title in ("workload", "log") else "right")
    for row in rows:
        cells = (
            *(str(row[name]) for name in ("workload", "callers", "log")),
            *(f"{row[name]:,.1f}" for name in ("rps", "p50_ms", "p95_ms")),
            *(f"{row[name]:,.0f}" for name in ("cpu_us", "supervisor_us", "writer_us")),
            *(f"{row[name]:.3f}" for name in ("rps_ratio", "cpu_ratio")),
            f"{row['dropped']:,.0f}",
            f"{row['buffered_mb']:.1f}",
        )
        table.add_row(*cells)
    return table
