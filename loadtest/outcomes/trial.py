"""Measures one mesh with and without reports of outcomes in turn."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from loadtest.generators import arrivals
from loadtest.outcomes.flood import CALLS, STREAM
from loadtest.run.answers import class_of
from loadtest.run.measurement import Progress, Setting, ask_all_metered
from loadtest.run.summary import Summary, summarise
from loadtest.workloads import TrainedEnsemble, catalog_of
from mesh.process import Event, Launch, running

CATALOG = "outcomes.yaml"
PAUSE_S, START_S = 1.0, 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """Reports beside the requests: on one stream or in calls; `rate` is per second, 0 for as many as the mesh takes."""

    name: str
    kind: str
    rate: float


NOTHING = Load("none", "", 0.0)
FLOOD_RPS = 5000.0


def loads(rps: float) -> tuple[Load, ...]:
    """The loads beside `rps` requests per second: usual ones, a report of each answer, and floods."""
    usual = (Load("a report of each answer, in calls", CALLS, rps), Load("the same, on a stream", STREAM, rps))
    floods = (Load("flood of calls", CALLS, FLOOD_RPS), Load("flood on a stream", STREAM, 0.0))
    return (NOTHING, *usual, *floods)


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. `reports` counts the reports by what became of them; `cores` is the CPU use of each part."""

    load: Load
    summary: Summary
    reports: dict[str, int]
    cores: dict[str, float]


def write_catalog(ensemble: TrainedEnsemble, folder: Path) -> None:
    """Writes the catalog, with a log of outcomes and hardly any decisions."""
    log = {"to": "log", "sample": 0.1, "features": False, "votes": "none"}
    (folder / CATALOG).write_text(yaml.safe_dump({**catalog_of(ensemble), "decisions": log}, sort_keys=False))


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured, with a mesh that is up."""

    ensemble: TrainedEnsemble
    setting: Setting
    ready: Event
    logs: Path
    progress: Progress

    async def measure(self, rps: float, seconds: float, rounds: int) -> list[Run]:
        """Measures `rps` requests per second beside each load, `rounds` times; the order turns from round to round."""
        runs = []
        for number in range(rounds):
            turn = loads(rps) if number % 2 == 0 else tuple(reversed(loads(rps)))
            for load in turn:
                runs.append(await self._run(load, rps, seconds, number))
                self.progress(_line(runs[-1]))
        return runs

    async def _run(self, load: Load, rps: float, seconds: float, seed: int) -> Run:
        offsets_s = arrivals.poisson(rps, seconds, seed)
        async with self._flood(load, seconds) as reports:
            answers, generator, cores = await ask_all_metered(self.setting, offsets_s, seconds, self._parts)
        await asyncio.sleep(PAUSE_S)
        classes = [class_of(answer, self.setting.question.deadline_ms, is_wrong=False) for answer in answers]
        return Run(load, summarise(answers, classes, seconds, generator), reports, cores)

    @contextlib.asynccontextmanager
    async def _flood(self, load: Load, seconds: float) -> AsyncIterator[dict[str, int]]:
        """Reports outcomes during the block; the dictionary has the counts after it."""
        counts: dict[str, int] = {}
        if load is NOTHING:
            yield counts
            return
        words = [str(self.ready["address"]), self.ensemble.game, load.kind, str(load.rate), str(seconds + PAUSE_S)]
        command = [sys.executable, "-m", "loadtest.outcomes.flood", *words]
        # In the session of the other generator: its nice value counts there.
        log, environment = self.logs / "flood.log", self.setting.security.environment()
        async with running(Launch("flood", command, log=log, environment=environment, new_session=False)) as flood:
            await flood.event("ready", START_S)
            yield counts
            counted = await flood.event("counts", START_S)
            counts.update({name: int(count) for name, count in counted.items() if name != "event"})

    @property
    def _parts(self) -> dict[str, list[int]]:
        workers = [worker["pid"] for worker in self.ready["workers"]]
        return {"supervisor": [self.ready["supervisor"]["pid"]], "workers": workers}


def _line(run: Run) -> str:
    latencies = run.summary.latencies.from_schedule
    parts = ", ".join(f"{name} {used:.2f}" for name, used in run.cores.items())
    return (
        f"outcomes: {run.load.name}: p50 {latencies[0]:.2f} ms, p99 {latencies[3]:.2f} ms, "
        f"{run.summary.whole_rps:,.0f} full a second; {', '.join(_words(run))}; cores: {parts}"
    )


def _words(run: Run) -> Iterator[str]:
    for name, count in run.reports.items():
        yield f"{count / run.summary.seconds:,.0f} {name} a second"
    if not run.reports:
        yield "no reports"
