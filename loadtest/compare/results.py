"""The results of a comparison: figures by load for each system, as medians of rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.measurement.point import Point
from loadtest.workloads import Workload


@dataclass(frozen=True, slots=True)
class Figures:
    """One system at one load.

    `rps` counts full answers only; `full` is their share. CPU is per answer: `cpu_us` of all processes, `part_cpu_us`
    of each part of the system. `mean_cohort` is 0 for a system without cohorts.
    """

    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us: float
    full: float
    part_cpu_us: Mapping[str, float] = field(default_factory=dict)
    mean_cohort: float = 0.0


@dataclass(frozen=True, slots=True)
class PartMemory:
    """The memory (PSS) of one part of a system: of all its processes, and of the largest."""

    pss_mb: float
    largest_pss_mb: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One system on one workload: figures by load (callers, or a share of the capacity), and memory after the load."""

    loads: Mapping[float, Figures]
    pss_mb: float
    first_answer_s: float
    parts: Mapping[str, PartMemory] = field(default_factory=dict)

    @property
    def best_load(self) -> float:
        """The load with the most full answers per second."""
        return max(self.loads, key=lambda load: self.loads[load].rps)

    @property
    def best_rps(self) -> float:
        """The most full answers per second at any load."""
        return self.loads[self.best_load].rps


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload: the outcome of each system; `limit` has the figures of the ideal mesh, for simulated models."""

    workload: Workload
    systems: Mapping[str, Outcome]
    limit: Mapping[float, Figures]


def figures_of(point: Point) -> Figures:
    """The figures of a measurement; only full answers count in the rate."""
    level = point.level
    full = 1.0 - sum(point.degraded.values()) / point.answers
    return Figures(
        rps=level.rps * full,
        p50_ms=level.p50_ms,
        p95_ms=level.p95_ms,
        p99_ms=level.p99_ms,
        cpu_us=point.cpu_us,
        full=full,
        part_cpu_us={part: cpu_s / point.answers * 1e6 for part, cpu_s in point.cpu_s.items()},
        mean_cohort=point.mean_cohort,
    )
