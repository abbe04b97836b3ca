"""Measures one mesh with its shadow switched on and off in turn, by changes of its catalog while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.generators import arrivals
from loadtest.run.answers import class_of
from loadtest.run.measurement import Progress, Setting, ask_all_metered
from loadtest.run.summary import Summary, summarise
from loadtest.workloads import VERSION, TrainedEnsemble, catalog_of
from mesh.cli.metrics_page import fetch
from mesh.process import Event

SHADOW = "2"
CATALOG = "shadow.yaml"
IN_FORCE_S = 1.5  # a supervisor looks at its catalog five times a second
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement at `factor` times the knee, with a shadow of `share` percent.

    `outcomes` counts the sampled requests by their outcome. `cores` has the CPU use of the supervisor, of the workers
    of the live version and of those of the shadow.
    """

    factor: float
    share: float
    summary: Summary
    outcomes: dict[str, int]
    cores: dict[str, float]


def write_catalog(ensemble: TrainedEnsemble, folder: Path, share: float) -> None:
    """Writes the catalog: a version with all players, and a shadow with the same model files in another order."""
    catalog = catalog_of(ensemble)
    live = catalog["versions"][VERSION]
    uris = [model["uri"] for model in live["models"]]
    models = [{**model, "uri": uri} for model, uri in zip(live["models"], uris[1:] + uris[:1], strict=True)]
    catalog["versions"][SHADOW] = {**live, "traffic": 0, "shadow": share, "models": models}
    fresh = folder / f"{CATALOG}.new"
    fresh.write_text(yaml.safe_dump(catalog, sort_keys=False))
    fresh.replace(folder / CATALOG)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured, with a mesh that is up and follows the catalog in `folder`."""

    ensemble: TrainedEnsemble
    folder: Path
    setting: Setting
    ready: Event
    knee_rps: float
    progress: Progress

    async def measure(self, factor: float, seconds: float, rounds: int) -> list[Run]:
        """Measures without and with the shadow, `rounds` times each; the order changes from round to round."""
        runs = []
        for number, share in enumerate(_turns(rounds)):
            run = await self._run(factor, seconds, share, number // 2)
            summary = run.summary
            p50_ms, p99_ms = summary.latencies.from_schedule[0], summary.latencies.from_schedule[3]
            self.progress(
                f"{factor:g} x the knee, shadow {share:g} %: p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms, "
                f"{run.summary.whole_rps:,.0f} full a second; {_words(run.outcomes)}; "
                f"cores: {', '.join(f'{name} {used:.2f}' for name, used in run.cores.items())}"
            )
            runs.append(run)
        return runs

    async def _run(self, factor: float, seconds: float, share: float, seed: int) -> Run:
        write_catalog(self.ensemble, self.folder, share)
        await asyncio.sleep(IN_FORCE_S)
        before = await _outcomes(self.ready["metrics"])
        offsets_s = arrivals.poisson(factor * self.knee_rps, seconds, seed)
        answers, generator, cores = await ask_all_metered(self.setting, offsets_s, seconds, self._parts)
        await asyncio.sleep(PAUSE_S)
        after = await _outcomes(self.ready["metrics"])
        deadline_ms = self.setting.question.deadline_ms
        classes = [class_of(answer, deadline_ms, is_wrong=False) for answer in answers]
        outcomes = {name: after[name] - before.get(name, 0) for name in after}
        return Run(factor, share, summarise(answers, classes, seconds, generator), outcomes, cores)

    @property
    def _parts(self) -> dict[str, list[int]]:
        versions = {"live": VERSION, "shadow": SHADOW}
        workers = {
            name: [worker["pid"] for worker in self.ready["workers"] if worker["version"] == version]
            for name, version in versions.items()
        }
        return {"supervisor": [self.ready["supervisor"]["pid"]], **workers}


def _turns(rounds: int) -> Iterator[float]:
    for number in range(rounds):
        yield from ((0.0, 100.0) if number % 2 == 0 else (100.0, 0.0))


async def _outcomes(metrics: str) -> dict[str, int]:
    page = await asyncio.to_thread(fetch, metrics)
    samples: Sequence[Any] = list(page.find("mesh_shadow_requests_total"))
    return {sample.labels["outcome"]: int(sample.value) for sample in samples}


def _words(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in outcomes.items() if count) or "nothing sampled"
