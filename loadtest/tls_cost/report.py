"""The report of the comparison: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table

from loadtest.measurement.aims import Aim
from loadtest.measurement.point import Point
from loadtest.report import Report

PLAINTEXT, TLS = "plaintext", "TLS"
LEAST_RATE = 0.93


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
        return self._ratio(lambda point: point.level.rps)

    @property
    def cpu_ratio(self) -> float:
        """The CPU of an answer with TLS, relative to that without it."""
        return self._ratio(lambda point: point.cpu_us)

    @property
    def rps(self) -> float:
        """The rate without TLS."""
        return statistics.median(point.level.rps for point in self.plaintext)

    def _ratio(self, value: Callable[[Point], float]) -> float:
        pairs = zip(self.plaintext, self.tls, strict=True)
        return statistics.median(value(secured) / value(plain) for plain, secured in pairs)


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
    return Report({"machine": machine, "rows": rows}, [_table(rows)], aims)


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
        "rps": statistics.median(point.level.rps for point in points),
        "p50_ms": statistics.median(point.level.p50_ms for point in points),
        "p95_ms": statistics.median(point.level.p95_ms for point in points),
        "cpu_us": statistics.median(point.cpu_us for point in points),
        "supervisor_us": _part_us(points, "supervisor"),
        "workers_us": _part_us(points, "workers"),
        "rate_ratio": one.rate_ratio if name == TLS else 1.0,
        "cpu_ratio": one.cpu_ratio if name == TLS else 1.0,
    }


def _part_us(points: Sequence[Point], part: str) -> float:
    return statistics.median(1e6 * point.cpu_s[part] / point.answers for point in points)


def _table(rows: Sequence[dict[str, object]]) -> Table:
    table = Table(title="TLS on every connection, and none")
    texts = ("workload", "connections")
    titles = {
        "workload": "workload",
        "replicas": "replicas",
        "callers": "callers",
        "connections": "connections",
        "rps": "answers/s",
        "p50_ms": "p50 ms",
        "p95_ms": "p95 ms",
        "cpu_us": "CPU us",
        "supervisor_us": "supervisor us",
        "workers_us": "workers us",
        "rate_ratio": "rate",
        "cpu_ratio": "CPU",
    }
    for name, title in titles.items():
        table.add_column(title, justify="left" if name in texts else "right")
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in titles))
    return table


def _cell(name: str, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if name.endswith("_ratio"):
        return f"{value:.3f}"
    return f"{value:,.0f}" if name.endswith("_us") else f"{value:,.1f}"
