"""Measures `mesh up`: the CPU of each worker and of the supervisor, and the cohorts, at each rate."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.generators import arrivals
from loadtest.generators.callers import FULL_ANSWER
from loadtest.measurement import meters
from loadtest.measurement.latency import ratio
from loadtest.measurement.meters import Cohorts
from loadtest.peers.mesh import up
from loadtest.run.job import Question
from loadtest.run.measurement import HEAD_START_S, Setting, ask_all, must_answer
from mesh.catalog.deployment.names import model_name
from mesh.process import Event

SETTLE_S = 5.0  # after the start; the workers still end their proving processes
WARM_UP_S, COOL_DOWN_S = 4.0, 1.0  # of each rate, before and after the measured time
IDLE = 0.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: `rates` in requests per second (0: idle), each for `seconds`."""

    catalog: Path
    replicas: tuple[int, ...]
    rates: tuple[float, ...]
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Use:
    """The CPU at one rate and number of replicas, in cores.

    `workers` has the mean over the replicas of each model, by the name of its Deployment. `requests_rps` and
    `cohorts_rps` are those that departed. `full` is the share of answers with all votes. `generator` is the CPU of the
    load generator.
    """

    replicas: int
    rate_rps: float
    workers: Mapping[str, float]
    supervisor: float
    requests_rps: float
    cohorts_rps: float
    full: float
    generator: float

    @property
    def cohort(self) -> float:
        """The mean number of requests in a cohort; 0 if there was none."""
        return ratio(self.requests_rps, self.cohorts_rps) if self.cohorts_rps else 0.0


@dataclass(frozen=True, slots=True)
class _Reading:
    at_s: float
    cpu_s: Mapping[int, float]
    cohorts: Cohorts


async def measure(plan: Plan, question: Question, logs: Path, progress: Progress) -> list[Use]:
    """Returns the use at every number of replicas and every rate; starts a mesh for each number of replicas."""
    found = []
    for replicas in plan.replicas:
        progress(f"{replicas} replicas: starting")
        async with up(plan.catalog.absolute().parent, logs, replicas=replicas, catalog=plan.catalog.name) as ready:
            asked = replace(question, address=ready["address"])
            await must_answer(asked)
            await asyncio.sleep(SETTLE_S)
            for rate_rps in plan.rates:
                use = await _measure(plan, Setting(asked, 1, 10_000, plan.seed, None), replicas, rate_rps, ready)
                progress(f"{replicas} replicas, {rate_rps:g} per second: {1000 * mean_cores(use):.1f}m a replica")
                found.append(use)
    return found


def mean_cores(use: Use) -> float:
    """The CPU of a replica, as the mean over the models."""
    return statistics.fmean(use.workers.values())


async def _measure(plan: Plan, setting: Setting, replicas: int, rate_rps: float, ready: Event) -> Use:
    workers = {one["pid"]: model_name(one["game"], one["version"], one["model"]) for one in ready["workers"]}
    pids = [*workers, ready["supervisor"]["pid"]]
    sending = asyncio.create_task(_send(plan, setting, rate_rps))
    try:
        await asyncio.sleep(HEAD_START_S + WARM_UP_S)
        before = await _read(pids, ready["metrics"])
        await asyncio.sleep(plan.seconds)
        after = await _read(pids, ready["metrics"])
        full, generator = await sending
    finally:
        sending.cancel()
    seconds = after.at_s - before.at_s
    cores = {pid: (after.cpu_s[pid] - before.cpu_s[pid]) / seconds for pid in pids}
    return Use(
        replicas=replicas,
        rate_rps=rate_rps,
        workers=_means(workers, cores),
        supervisor=cores[ready["supervisor"]["pid"]],
        requests_rps=(after.cohorts.requests - before.cohorts.requests) / seconds,
        cohorts_rps=(after.cohorts.departed - before.cohorts.departed) / seconds,
        full=full,
        generator=generator,
    )


async def _send(plan: Plan, setting: Setting, rate_rps: float) -> tuple[float, float]:
    """Sends the load; returns the share of full answers, and the CPU of the sender in cores."""
    seconds = WARM_UP_S + plan.seconds + COOL_DOWN_S
    if rate_rps == IDLE:
        return 1.0, 0.0
    answers, generator = await ask_all(setting, arrivals.poisson(rate_rps, seconds, plan.seed), seconds)
    return sum(answer.source == FULL_ANSWER for answer in answers) / len(answers), generator.cpu


async def _read(pids: Sequence[int], metrics: str) -> _Reading:
    found = await meters.cohorts(metrics)
    return _Reading(time.monotonic(), {pid: meters.cpu_s([pid]) for pid in pids}, found)


def _means(workers: Mapping[int, str], cores: Mapping[int, float]) -> dict[str, float]:
    """The mean CPU of the replicas of each model."""
    by_model: dict[str, list[float]] = {}
    for pid, name in workers.items():
        by_model.setdefault(name, []).append(cores[pid])
    return {name: statistics.fmean(used) for name, used in by_model.items()}
