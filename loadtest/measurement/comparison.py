"""Comparison of meshes that were measured in turn: medians of the rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from rich.table import Table

from loadtest.measurement.point import Point

Row = Mapping[str, object]


def median_ratio(values: Iterable[float], to: Iterable[float]) -> float:
    """Returns the median of the ratios of `values` and `to`, each of the same round."""
    return statistics.median(_ratios(values, to))


def quartiles_of_ratios(values: Iterable[float], to: Iterable[float]) -> tuple[float, float]:
    """Returns the quartiles of the ratios of `values` and `to`, each of the same round: a half is between them."""
    low, high = np.percentile(_ratios(values, to), (25, 75))
    return float(low), float(high)


def _ratios(values: Iterable[float], to: Iterable[float]) -> list[float]:
    return [value / base for value, base in zip(values, to, strict=True)]


def figures(points: Sequence[Point], *parts: str) -> dict[str, float]:
    """Returns the medians of the points of a mesh, and the CPU of an answer in each of `parts`."""
    of_parts = {
        f"{part}_us": statistics.median(1e6 * one.cpu_s.get(part, 0.0) / one.answers for one in points)
        for part in parts
    }
    return {
        "rps": statistics.median(one.level.rps for one in points),
        "p50_ms": statistics.median(one.level.p50_ms for one in points),
        "p95_ms": statistics.median(one.level.p95_ms for one in points),
        "cpu_us": statistics.median(one.cpu_us for one in points),
        **of_parts,
    }


@dataclass(frozen=True, slots=True)
class OnOff:
    """The points without a feature and with it, round by round."""

    workload: str
    callers: int
    off: tuple[Point, ...]
    on: tuple[Point, ...]

    @property
    def rps_ratio(self) -> float:
        """The rate with the feature, relative to the rate without it."""
        return median_ratio((one.level.rps for one in self.on), (one.level.rps for one in self.off))

    @property
    def cpu_ratio(self) -> float:
        """The answers for the same CPU with the feature, relative to those without it."""
        return median_ratio((one.cpu_us for one in self.off), (one.cpu_us for one in self.on))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The points of several meshes by name, round by round, under the same load. The others are compared to the first.

    A mesh that is like the first one shows the noise.
    """

    workload: str
    load: str
    points: Mapping[str, Sequence[Point]]

    def cpu_ratio(self, name: str) -> float:
        """The CPU of an answer in the mesh `name`, relative to the first one."""
        return median_ratio(*self._cpu_us(name))

    def row(self, name: str, *parts: str) -> dict[str, object]:
        """Returns the row of a mesh, for `COMPARED`, and the CPU of an answer in each of `parts`, and in each round."""
        low, high = quartiles_of_ratios(*self._cpu_us(name))
        rates = [[one.level.rps for one in points] for points in (self.points[name], self._first)]
        return {
            "workload": self.workload,
            "load": self.load,
            "mesh": name,
            **figures(self.points[name], *parts),
            "rps_ratio": median_ratio(*rates),
            "cpu_ratio": self.cpu_ratio(name),
            "cpu_low": low,
            "cpu_high": high,
            "rounds_cpu_us": [one.cpu_us for one in self.points[name]],
        }

    @property
    def _first(self) -> Sequence[Point]:
        return next(iter(self.points.values()))

    def _cpu_us(self, name: str) -> tuple[list[float], list[float]]:
        return [one.cpu_us for one in self.points[name]], [one.cpu_us for one in self._first]


class Column(NamedTuple):
    """A column of a table: its title, and the format of its numbers; texts, without a format, are on the left."""

    title: str
    form: str | None = None


COUNT = "d"
RATE, MS, US, RATIO = ",.1f", ",.1f", ",.0f", ".3f"
FIGURES = {
    "rps": Column("answers/s", RATE),
    "p50_ms": Column("p50 ms", MS),
    "p95_ms": Column("p95 ms", MS),
    "cpu_us": Column("CPU us", US),
}
COMPARED = {
    "workload": Column("workload"),
    "load": Column("load"),
    "mesh": Column("mesh"),
    **FIGURES,
    "rps_ratio": Column("rate", RATIO),
    "cpu_ratio": Column("CPU", RATIO),
    "cpu_low": Column("quartiles", RATIO),
    "cpu_high": Column("", RATIO),
}


def table_of(title: str, columns: Mapping[str, Column], rows: Sequence[Row]) -> Table:
    """Returns the table of `rows`, whose values have the names of the `columns`."""
    table = Table(title=title)
    for column in columns.values():
        table.add_column(column.title, justify="left" if column.form is None else "right")
    for row in rows:
        table.add_row(*(format(row[name], column.form or "") for name, column in columns.items()))
    return table
