"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.measurement.aims import Aim
from loadtest.measurement.comparison import COUNT, FIGURES, RATIO, US, Column, figures, median_ratio, table_of
from loadtest.measurement.point import Point
from loadtest.report import Report

PLAINTEXT, TLS = "plaintext", "TLS"
LEAST_RATE = 0.93
COLUMNS = {
    "workload": Column("workload"),
    "replicas": Column("replicas", COUNT),
    "callers": Column("callers", COUNT),
    "connections": Column("connections"),
    **FIGURES,
    "supervisor_us": Column("supervisor us", US),
    "workers_us": Column("workers us", US),
    "rate_ratio": Column("rate", RATIO),
    "cpu_ratio": Column("CPU", RATIO),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The points of both meshes at one number of `callers`, round by round."""

    workload: str
    replicas: int
    callers: int
    plaintext: tuple[Point, ...]
    tls: tuple[Point, ...]

    @property
    def rate_ratio(self) -> float:
        """The rate with TLS, relative to the rate without it."""
        return median_ratio((one.level.rps for one in self.tls), (one.level.rps for one in self.plaintext))

    @property
    def cpu_ratio(self) -> float:
        """The CPU of an answer with TLS, relative to that without it."""
        return median_ratio((one.cpu_us for one in self.tls), (one.cpu_us for one in self.plaintext))

    @property
    def rps(self) -> float:
        """The rate without TLS."""
        return statistics.median(point.level.rps for point in self.plaintext)


def report_of(found: Sequence[Comparison], machine: str) -> Report:
    """Returns the report; its aims are for the best rate of each number of replicas."""
    rows = [_row(one, name, points) for one in found for name, points in ((PLAINTEXT, one.plaintext), (TLS, one.tls))]
    aims = [
        Aim(
            f"{best.workload}, {best.replicas} replicas: best answers/s, TLS / plaintext",
            best.rate_ratio,
            LEAST_RATE,
            True,
        )
        for best in _best(found)
    ]
    return Report(
        {"machine": machine, "rows": rows}, [table_of("TLS on every connection, and none", COLUMNS, rows)], aims
    )


def _best(found: Sequence[Comparison]) -> list[Comparison]:
    """The comparison with the best rate of each number of replicas."""
    by_replicas = {one.replicas: [other for other in found if other.replicas == one.replicas] for one in found}
    return [max(ones, key=lambda one: one.rps) for ones in by_replicas.values()]


def _row(one: Comparison, name: str, points: Sequence[Point]) -> dict[str, object]:
    return {
        "workload": one.workload,
        "replicas": one.replicas,
        "callers": one.callers,
        "connections": name,
        **figures(points, "supervisor", "workers"),
        "rate_ratio": one.rate_ratio if name == TLS else 1.0,
        "cpu_ratio": one.cpu_ratio if name == TLS else 1.0,
    }
