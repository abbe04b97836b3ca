"""One measurement: a system under one load, how it answered and what it spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest import metering
from loadtest.driving import Drive, Options, drive
from loadtest.generators.callers import Target
from loadtest.latency import Level, ratio
from loadtest.metering import Cohorts
from loadtest.peers.system import System
from loadtest.workloads import Workload


@dataclass(frozen=True, slots=True)
class Span:
    """How long a load lasts: what comes in the warm-up does not count."""

    warm_up_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Point:
    """What one load brought.

    `degraded` counts the answers that were not full ones, by what they were; `slip_p99_ms` tells how late requests
    left after they were due (open loop; else 0); `cpu_s` is what each part of the system used within `seconds`;
    `mean_cohort` is 0 where there are no cohorts.
    """

    seconds: float
    level: Level
    answers: int
    degraded: Mapping[str, int]
    slip_p99_ms: float
    cpu_s: Mapping[str, float]
    mean_cohort: float

    @property
    def cpu_us(self) -> float:
        """The CPU time of one answer, over all parts."""
        return sum(self.cpu_s.values()) / self.answers * 1e6


@dataclass(frozen=True, slots=True)
class _Spent:
    cpu_s: Mapping[str, float]
    cohorts: Cohorts


async def closed_loop(system: System, workload: Workload, callers: int, seed: int, span: Span, logs: Path) -> Point:
    """So many callers, each of whom waits for its answer and asks again."""
    return await _measure(system, workload, "closed", {"callers": callers, "seed": seed}, span, logs)


async def open_loop(system: System, workload: Workload, rate_rps: float, seed: int, span: Span, logs: Path) -> Point:
    """Poisson arrivals that wait for nobody."""
    return await _measure(system, workload, "open", {"rate_rps": rate_rps, "seed": seed}, span, logs)


def seed_of(load: float, number: int) -> int:
    """Of the arrivals at `load` in the round of that number: the same for every system."""
    return number * 1000 + round(load * 100)


async def _measure(system: System, workload: Workload, loop: str, options: Options, span: Span, logs: Path) -> Point:
    async def meter() -> _Spent:
        cpu_s = {part: metering.cpu_s(pids) for part, pids in system.parts.items()}
        told = system.metrics_address
        return _Spent(cpu_s, await metering.cohorts(told) if told else Cohorts(0.0, 0.0))

    target = Target(system.wire, system.address, workload.method, workload.game, workload.players)
    driven = await drive(Drive(loop, span.warm_up_s, span.seconds, target, options), meter, logs)
    before, after = driven.before, driven.after
    requests = after.cohorts.requests - before.cohorts.requests
    departed = after.cohorts.departed - before.cohorts.departed
    return Point(
        seconds=span.seconds,
        level=driven.level,
        answers=driven.answers,
        degraded=driven.degraded,
        slip_p99_ms=driven.slip_p99_ms,
        cpu_s={part: after.cpu_s[part] - before.cpu_s[part] for part in after.cpu_s},
        mean_cohort=ratio(requests, departed) if departed else 0.0,
    )
