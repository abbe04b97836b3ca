"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from loadtest.measurement.aims import Aim
from loadtest.measurement.point import Point
from loadtest.report import Report

LEAST = 0.98  # of the answers for the same CPU


@dataclass(frozen=True, slots=True)
class Pair:
    """The points without traces and with them, round by round, and the size of the spans that the collector got."""

    workload: str
    callers: int
    off: tuple[Point, ...]
    on: tuple[Point, ...]
    received_bytes: int

    @property
    def rps_ratio(self) -> float:
        """The rate with traces, relative to the rate without them."""
        return statistics.median(on.level.rps / off.level.rps for off, on in zip(self.off, self.on, strict=True))

    @property
    def cpu_ratio(self) -> float:
        """The answers for the same CPU with traces, relative to those without them."""
        return statistics.median(off.cpu_us / on.cpu_us for off, on in zip(self.off, self.on, strict=True))


def report_of(pairs: Sequence[Pair], share: float, machine: str) -> Report:
    """Returns the report."""
    rows = [_row(pair, name, points) for pair in pairs for name, points in (("off", pair.off), ("on", pair.on))]
    aims = [
        Aim(f"{pair.workload}, {pair.callers} callers: answers per CPU, on / off", pair.cpu_ratio, LEAST, True)
        for pair in pairs
    ]
    return Report({"machine": machine, "share": share, "rows": rows}, [_table(rows, share)], aims)


def _row(pair: Pair, name: str, points: Sequence[Point]) -> dict[str, object]:
    is_on = points is pair.on
    return {
        "workload": pair.workload,
        "callers": pair.callers,
        "traces": name,
        "rps": statistics.median(one.level.rps for one in points),
        "p50_ms": statistics.median(one.level.p50_ms for one in points),
        "p95_ms": statistics.median(one.level.p95_ms for one in points),
        "cpu_us": statistics.median(one.cpu_us for one in points),
        "supervisor_us": statistics.median(1e6 * one.cpu_s["supervisor"] / one.answers for one in points),
        "rps_ratio": pair.rps_ratio if is_on else 1.0,
        "cpu_ratio": pair.cpu_ratio if is_on else 1.0,
        "received_mb": pair.received_bytes / 2**20 if is_on else 0.0,
    }


def _table(rows: Sequence[dict[str, object]], share: float) -> Table:
    table = Table(title=f"Traces of {share:g} %, and of faults: CPU of an answer in all processes")
    titles = ("workload", "callers", "traces", "answers/s", "p50 ms", "p95 ms", "CPU us", "supervisor us", "rate")
    for title in (*titles, "per CPU", "MiB"):
        table.add_column(title, justify="left" if title in ("workload", "traces") else "right")
    for row in rows:
        cells = (
            *(str(row[name]) for name in ("workload", "callers", "traces")),
            *(f"{row[name]:,.1f}" for name in ("rps", "p50_ms", "p95_ms")),
            *(f"{row[name]:,.0f}" for name in ("cpu_us", "supervisor_us")),
            *(f"{row[name]:.3f}" for name in ("rps_ratio", "cpu_ratio")),
            f"{row['received_mb']:.1f}",
        )
        table.add_row(*cells)
    return table
