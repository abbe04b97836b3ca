"""Measures valid traffic at one supervisor beside handshakes of new connections, at several rates of them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.generators import arrivals
from loadtest.measurement.latency import percentiles
from loadtest.run.answers import class_of
from loadtest.run.measurement import HEAD_START_S, Progress, Setting, ask_all_metered
from loadtest.run.summary import Summary, summarise
from mesh.process import Launch, running

PAUSE_S, START_S = 1.0, 20.0
SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Handshakes:
    """The handshakes of a run. `accepted_per_s` counts those that the supervisor accepted.

    `opener_cpu` is the CPU use of the process that opened the connections, in cores.
    """

    accepted_per_s: float
    failed: Mapping[str, int]
    p50_ms: float
    p99_ms: float
    opener_cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement at `asked_per_s` new connections a second; None: as many as the supervisor takes.

    `cores` is the CPU use of each part over the time of the traffic and the head start before it.
    """

    asked_per_s: float | None
    summary: Summary
    handshakes: Handshakes | None
    cores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured: `setting` has the security of the traffic and of the handshakes; `parts` are process ids."""

    setting: Setting
    parts: Mapping[str, Sequence[int]]
    logs: Path
    progress: Progress

    async def measure(self, rps: float, seconds: float, rates: Sequence[float | None]) -> list[Run]:
        """Measures `rps` requests per second beside new connections at each of `rates`; 0: no connections.

        Raises ProcessFailed or CannotMeasure.
        """
        runs = []
        for number, rate in enumerate(rates):
            runs.append(await self._run(rate, rps, seconds, number))
            self.progress(line_of(runs[-1]))
            await asyncio.sleep(PAUSE_S)
        return runs

    async def _run(self, rate: float | None, rps: float, seconds: float, seed: int) -> Run:
        offsets_s = arrivals.poisson(rps, seconds, seed)
        async with self._opening(rate, HEAD_START_S + seconds) as found:
            answers, generator, cores = await ask_all_metered(self.setting, offsets_s, seconds, self.parts)
        classes = [class_of(answer, self.setting.question.deadline_ms, is_wrong=False) for answer in answers]
        return Run(rate, summarise(answers, classes, seconds, generator), found[0] if found else None, cores)

    @contextlib.asynccontextmanager
    async def _opening(self, rate: float | None, seconds: float) -> AsyncIterator[list[Handshakes]]:
        """Opens connections during the block; the list has the counts after it."""
        found: list[Handshakes] = []
        if rate == 0:
            yield found
            return
        words = [self.setting.question.address, str(rate or 0), str(seconds)]
        command = [sys.executable, "-m", "loadtest.handshakes.opener", *words]
        log, environment = self.logs / "opener.log", self.setting.security.environment()
        async with running(Launch("opener", command, log=log, environment=environment, new_session=False)) as opener:
            await opener.event("ready", START_S)
            yield found
            counts = await opener.event("counts", START_S + seconds)
        p50_ms, p99_ms = percentiles(counts["times_ms"] or [float("nan")], 50, 99)
        per_s = counts["accepted"] / counts["seconds"]
        found.append(Handshakes(per_s, counts["failed"], p50_ms, p99_ms, counts["cpu"]))


def cpu_ms_per_handshake(run: Run, without: Run) -> float | None:
    """The CPU time of the supervisor for a handshake, in ms; `without` is the same traffic without handshakes."""
    if run.handshakes is None or not run.handshakes.accepted_per_s or SUPERVISOR not in run.cores:
        return None
    return 1000 * (run.cores[SUPERVISOR] - without.cores[SUPERVISOR]) / run.handshakes.accepted_per_s


def line_of(run: Run) -> str:
    """The result as a line of progress."""
    found = run.handshakes
    opened = "no new connections" if found is None else f"{found.accepted_per_s:,.0f} handshakes a second"
    cores = "".join(f", {name} {used:.2f} cores" for name, used in run.cores.items())
    return f"{opened}: p99 of the requests {run.summary.p99_ms:.1f} ms{cores}"
