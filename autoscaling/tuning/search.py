"""Searching the cheapest HPAs that keep a promise.

Given the load, Deployments scale without heed of each other: what one does depends on its own HPA alone. So each
candidate is simulated once for all of them at the same time, and what each model would cost and how often it would be
late is read off for each. A level of lateness then gives every model its cheapest candidate; the levels in turn give
the frontier of cost against promise, each of its points simulated whole, by several seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autoscaling.cluster.results import GameResult, Track
from autoscaling.cluster.runs import Input, each
from autoscaling.tuning.slo import Slo, all_misses
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import Hpa, WorkerDeployment
from mesh.catalog.deployment.overlay import merge, overlay

TARGETS = (40, 60, 80, 110, 150)
LEAST = (2, 4)
FREE = 500  # the most replicas while candidates are tried: what a Deployment needs shall show
ROOM = 1.5  # of max above the most that was needed
START_H = 0.1  # of a pod, that its start is worth: image, load, cold caches, and the unrest; flapping is not free
LEVELS = (0.0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 5e-2)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to scale a Deployment; `behavior` None: as it is."""

    percent: int
    least: int
    most: int
    behavior: Mapping[str, Any] | None

    def laid_over(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """`block`, a model's as the catalog says it, with this in the place of what it says of the same."""
        hpa = {**block.get("hpa", {}), "cpu_percent": self.percent}
        if self.behavior is not None:
            hpa["behavior"] = dict(self.behavior)
        return {**block, "replicas": {"min": self.least, "max": self.most}, "hpa": hpa}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the frontier: what each model is given, what it costs, and what of the promise it misses."""

    choice: Mapping[str, Candidate]
    core_hours: float
    full: float
    p95_s: float
    misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the search found: the point as it is, the frontier, and the cheapest that keeps the promise."""

    now: Point
    frontier: tuple[Point, ...]
    best: Point | None


def tune(what: Input, slo: Slo, seeds: int, progress: Progress) -> Tuned:
    """Searches for one game; the catalog is not changed."""
    catalog, load = what.games[0]
    candidates = list(_candidates())
    settings = replace(what.settings, late_after_s=slo.tightest_s or math.inf)
    given = [
        replace(
            what, games=[(with_changes(catalog, {name: one for name, _ in _models(catalog)}), load)], settings=settings
        )
        for one in candidates
    ]
    runs = [run[0] for run in each(given, lambda share: progress("trying candidates", share))]
    choices = list(_distinct(_choose(candidates, runs, catalog, level) for level in LEVELS))
    points = _simulated(what, [{}, *choices], slo, seeds, lambda share: progress("checking the frontier", share))
    now, *frontier = points
    kept = [point for point in frontier if not point.misses]
    return Tuned(now, tuple(frontier), min(kept, key=lambda point: point.core_hours, default=None))


def with_changes(catalog: Catalog, choice: Mapping[str, Candidate]) -> Catalog:
    """`catalog` with each model of `choice`, by version/model, scaled so."""
    plain = catalog.model_dump(by_alias=True, exclude_unset=True)
    for name, version in plain["versions"].items():
        version["models"] = [_changed(model, choice.get(f"{name}/{model['name']}")) for model in version["models"]]
    return Catalog.model_validate(plain)


def _changed(model: dict[str, Any], candidate: Candidate | None) -> dict[str, Any]:
    return model if candidate is None else candidate.laid_over(model)


def _candidates() -> Iterator[Candidate]:
    """Targets by the least replicas; ways of behaving where they show."""
    usual = Hpa().model_dump(mode="json", by_alias=True, exclude_none=True)["behavior"]
    slowly = merge(usual, {"scaleDown": {"stabilizationWindowSeconds": 900}})
    faster = merge(usual, {"scaleUp": {"policies": [{"type": "Percent", "value": 300, "periodSeconds": 15}]}})
    for percent in TARGETS:
        for least in LEAST:
            yield Candidate(percent, least, FREE, usual)
        yield Candidate(percent, LEAST[0], FREE, None)
    for behavior in (slowly, faster):
        for percent in (60, 110):
            yield Candidate(percent, LEAST[0], FREE, behavior)


def _choose(
    candidates: Sequence[Candidate], runs: Sequence[GameResult], catalog: Catalog, level: float
) -> dict[str, Candidate]:
    """For every model its cheapest candidate that is late for at most `level` of the requests; else the least late."""
    found = {}
    for number, (name, most) in enumerate(_models(catalog), 1):  # the supervisors' Deployment is the first
        tracks = [run.tracks[number] for run in runs]
        late = np.array([run.late_share(track) for track, run in zip(tracks, runs, strict=True)])
        cost = np.array([_price_h(track, run.step_s) for track, run in zip(tracks, runs, strict=True)])
        fit = np.flatnonzero(late <= max(level, late.min()))
        best = int(fit[cost[fit].argmin()])
        needed = math.ceil(ROOM * float(tracks[best].replicas.max()))
        found[name] = replace(candidates[best], most=max(most, needed))
    return found


def _models(catalog: Catalog) -> Iterator[tuple[str, int]]:
    """Every model as version/model, and the most replicas that it may have."""
    for name, version in catalog.versions.items():
        for model in version.models:
            yield f"{name}/{model.name}", overlay(WorkerDeployment, catalog, version, model).replicas.max


def _price_h(track: Track, step_s: float) -> float:
    """Core hours, and what starts of pods are worth."""
    started = float(np.clip(np.diff(track.replicas), 0, None).sum())
    return track.core_hours(step_s) + track.request_cores * started * START_H


def _distinct(choices: Iterator[dict[str, Candidate]]) -> Iterator[dict[str, Candidate]]:
    seen: list[dict[str, Candidate]] = []
    for choice in choices:
        if choice not in seen:
            seen.append(choice)
            yield choice


def _simulated(
    what: Input, choices: Sequence[Mapping[str, Candidate]], slo: Slo, seeds: int, progress: Callable[[float], None]
) -> list[Point]:
    catalog, load = what.games[0]
    first = what.settings.seed
    inputs = [
        replace(
            what,
            games=[(with_changes(catalog, choice), load)],
            settings=replace(what.settings, seed=first + number),
        )
        for choice in choices
        for number in range(seeds)
    ]
    results = [run[0] for run in each(inputs, progress)]
    return [
        _point(choice, results[number * seeds : (number + 1) * seeds], slo) for number, choice in enumerate(choices)
    ]


def _point(choice: Mapping[str, Candidate], results: Sequence[GameResult], slo: Slo) -> Point:
    """The worst of the seeds counts."""
    return Point(
        choice,
        max(result.core_hours() for result in results),
        min(result.share("full") for result in results),
        max(result.quantile_s(0.95) for result in results),
        tuple(all_misses(slo, results)),
    )
