"""The report of the comparison: medians of the rounds, and medians and quartiles of the ratios within a round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.measurement.aims import Aim
from loadtest.measurement.comparison import (
    FIGURES,
    RATIO,
    US,
    Column,
    figures,
    median_ratio,
    quartiles_of_ratios,
    table_of,
)
from loadtest.measurement.point import Point
from loadtest.report import Report

OFF, AGAIN, ON = "off", "off again", "on"
MOST = 1.02  # times the CPU without traces
COLUMNS = {
    "workload": Column("workload"),
    "load": Column("load"),
    "traces": Column("traces"),
    **FIGURES,
    "supervisor_us": Column("supervisor us", US),
    "rps_ratio": Column("rate", RATIO),
    "cpu_ratio": Column("CPU", RATIO),
    "cpu_low": Column("quartiles", RATIO),
    "cpu_high": Column("", RATIO),
    "received_mb": Column("MiB", ".1f"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The points of the meshes `OFF`, `AGAIN` and `ON`, round by round, and the size of the spans at the collector.

    The mesh `AGAIN` is like `OFF`: its ratios show the noise.
    """

    workload: str
    load: str
    points: Mapping[str, Sequence[Point]]
    received_bytes: int

    def cpu_ratio(self, name: str) -> float:
        """The CPU of an answer in the mesh `name`, relative to the mesh without traces."""
        return median_ratio(*self._cpu_us(name))

    def cpu_quartiles(self, name: str) -> tuple[float, float]:
        """The quartiles of the ratios of which `cpu_ratio` is the median."""
        return quartiles_of_ratios(*self._cpu_us(name))

    def rps_ratio(self, name: str) -> float:
        """The rate of the mesh `name`, relative to the mesh without traces."""
        return median_ratio(*([one.level.rps for one in self.points[mesh]] for mesh in (name, OFF)))

    def _cpu_us(self, name: str) -> tuple[list[float], list[float]]:
        return [one.cpu_us for one in self.points[name]], [one.cpu_us for one in self.points[OFF]]


def report_of(found: Sequence[Comparison], share: float, machine: str) -> Report:
    """Returns the report."""
    rows = [_row(one, name) for one in found for name in one.points]
    aims = [
        Aim(f"{one.workload}, {one.load}: CPU of an answer, traces / none", one.cpu_ratio(ON), MOST) for one in found
    ]
    title = f"Traces of {share:g} %, and of faults: CPU of an answer in all processes, to that without traces"
    return Report({"machine": machine, "share": share, "rows": rows}, [table_of(title, COLUMNS, rows)], aims)


def _row(one: Comparison, name: str) -> dict[str, object]:
    low, high = one.cpu_quartiles(name)
    return {
        "workload": one.workload,
        "load": one.load,
        "traces": name,
        **figures(one.points[name], "supervisor"),
        "rps_ratio": one.rps_ratio(name),
        "cpu_ratio": one.cpu_ratio(name),
        "cpu_low": low,
        "cpu_high": high,
        "received_mb": one.received_bytes / 2**20 if name == ON else 0.0,
        "rounds_cpu_us": [point.cpu_us for point in one.points[name]],
    }
