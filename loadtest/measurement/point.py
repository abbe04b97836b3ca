"""One measurement: the answers of a system under one load, and the CPU that it used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.generators.callers import Target
from loadtest.generators.process import Load, Options, generate
from loadtest.measurement import meters
from loadtest.measurement.latency import Level, ratio
from loadtest.measurement.meters import Cohorts
from loadtest.peers.system import System
from loadtest.workloads import Workload


@dataclass(frozen=True, slots=True)
class Span:
    """The duration of a load; answers during the warm-up do not count."""

    warm_up_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Point:
    """The result of one load.

    `degraded` counts the answers that were not full, by kind; `slip_p99_ms` is how late requests left after they were
    due (open loop; else 0); `cpu_s` is the CPU time of each part of the system within `seconds`; `mean_cohort` is 0
    for a system without cohorts.
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
        """The CPU time per answer, over all parts."""
        return sum(self.cpu_s.values()) / self.answers * 1e6


@dataclass(frozen=True, slots=True)
class _Usage:
    cpu_s: Mapping[str, float]
    cohorts: Cohorts


async def closed_loop(system: System, workload: Workload, callers: int, seed: int, span: Span, logs: Path) -> Point:
    """Measures `callers` callers; each waits for its answer before it asks again."""
    return await _measure(system, workload, "closed", {"callers": callers, "seed": seed}, span, logs)


async def open_loop(system: System, workload: Workload, rate_rps: float, seed: int, span: Span, logs: Path) -> Point:
    """Measures Poisson arrivals, which do not wait for answers."""
    return await _measure(system, workload, "open", {"rate_rps": rate_rps, "seed": seed}, span, logs)


def seed_of(load: float, number: int) -> int:
    """The seed of the arrivals at `load` in round `number`, the same for every system."""
    return number * 1000 + round(load * 100)


async def _measure(system: System, workload: Workload, loop: str, options: Options, span: Span, logs: Path) -> Point:
    async def meter() -> _Usage:
        cpu_s = {part: meters.cpu_s(pids) for part, pids in system.parts.items()}
        address = system.metrics_address
        return _Usage(cpu_s, await meters.cohorts(address) if address else Cohorts(0.0, 0.0))

    target = Target(system.wire, system.address, workload.method, workload.game, workload.players)
    load = Load(loop, span.warm_up_s, span.seconds, target, options, system.security)
    result = await generate(load, meter, logs)
    before, after = result.before, result.after
    requests = after.cohorts.requests - before.cohorts.requests
    departed = after.cohorts.departed - before.cohorts.departed
    return Point(
        seconds=span.seconds,
        level=result.level,
        answers=result.answers,
        degraded=result.degraded,
        slip_p99_ms=result.slip_p99_ms,
        cpu_s={part: after.cpu_s[part] - before.cpu_s[part] for part in after.cpu_s},
        mean_cohort=ratio(requests, departed) if departed else 0.0,
    )
