"""Searches the HPAs that meet an SLO at the lowest cost.

Under a given load, Deployments do not affect each other: the replicas of each depend only on its own HPA. Therefore one
simulation tries a candidate for all models at once, and gives each model's cost and late-vote share. For a maximum
late-vote share, each model gets its cheapest candidate; several such maxima give the frontier of cost against quality.
Each point of the frontier is then simulated completely, with several seeds. If the load has a rush, each point is also
simulated with a schedule that starts the replicas of the rush before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autoscaling.cluster.load import Load
from autoscaling.cluster.results import DeploymentSeries, GameResult
from autoscaling.cluster.runs import run_all
from autoscaling.cluster.simulation_input import SimulationInput
from autoscaling.tuning.candidate import Candidate, with_changes
from autoscaling.tuning.rush import rush_of
from autoscaling.tuning.slo import Slo, all_misses
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import Hpa
from mesh.catalog.deployment.overlay import merge
from mesh.catalog.deployment.workers import workers_of

TARGETS_PERCENT = (40, 60, 80, 110, 150)
MIN_REPLICAS = (2, 4)
UNLIMITED = 500  # max replicas of candidates: the simulation shows how many replicas a Deployment needs
HEADROOM = 1.5  # max replicas relative to the most that were needed
POD_START_H = 0.1  # the cost of a pod start in hours of the pod: image, load, cold caches; so that flapping costs
LATE_LEVELS = (0.0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 5e-2)  # maximum late-vote shares
SETTLED_S = 1800.0  # the time after the rise of a rush in which the HPA finds the replicas that it needs
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One point of the frontier: the candidate of each model, the cost, the quality, and the missed objectives."""

    choice: Mapping[str, Candidate]
    core_hours: float
    full: float
    p95_s: float
    misses: tuple[str, ...]

    @property
    def schedules(self) -> bool:
        """Whether a model has a schedule."""
        return any(one.schedule for one in self.choice.values())


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The current HPAs, the frontier, and its cheapest point that meets the SLO."""

    current: FrontierPoint
    frontier: tuple[FrontierPoint, ...]
    best: FrontierPoint | None


def search(given: SimulationInput, slo: Slo, seeds: int, progress: Progress) -> SearchResult:
    """Searches for the first game of `given`; does not change its catalog."""
    catalog, load = given.games[0]
    candidates = list(_candidates())
    settings = replace(given.settings, late_after_s=slo.tightest_s or math.inf)
    names = [name for name, _ in _models(catalog)]
    inputs = [
        replace(given, games=[(with_changes(catalog, dict.fromkeys(names, one)), load)], settings=settings)
        for one in candidates
    ]
    runs = [run[0] for run in run_all(inputs, lambda share: progress("trying candidates", share))]
    choices = list(_distinct(_choose(candidates, runs, catalog, level) for level in LATE_LEVELS))
    results = _simulated(given, [{}, *choices], seeds, lambda share: progress("checking the frontier", share))
    scheduled = list(_distinct(_scheduled(choice, run, load) for choice, run in zip(choices, results[1:], strict=True)))
    scheduled = [choice for choice in scheduled if choice]
    more = _simulated(given, scheduled, seeds, lambda share: progress("trying schedules", share)) if scheduled else []
    both = zip([{}, *choices, *scheduled], [*results, *more], strict=True)
    current, *frontier = [_point(choice, runs, slo) for choice, runs in both]
    meeting = [point for point in frontier if not point.misses]
    return SearchResult(current, tuple(frontier), min(meeting, key=lambda point: point.core_hours, default=None))


def _candidates() -> Iterator[Candidate]:
    """All combinations of target and min replicas, and two other behaviors for some targets."""
    usual = Hpa().model_dump(mode="json", by_alias=True, exclude_none=True)["behavior"]
    slower_down = merge(usual, {"scaleDown": {"stabilizationWindowSeconds": 900}})
    faster_up = merge(usual, {"scaleUp": {"policies": [{"type": "Percent", "value": 300, "periodSeconds": 15}]}})
    for percent in TARGETS_PERCENT:
        for min_replicas in MIN_REPLICAS:
            yield Candidate(percent, min_replicas, UNLIMITED, usual)
        yield Candidate(percent, MIN_REPLICAS[0], UNLIMITED, None)
    for behavior in (slower_down, faster_up):
        for percent in (60, 110):
            yield Candidate(percent, MIN_REPLICAS[0], UNLIMITED, behavior)


def _choose(
    candidates: Sequence[Candidate], runs: Sequence[GameResult], catalog: Catalog, level: float
) -> dict[str, Candidate]:
    """The cheapest candidate of each model with at most `level` late votes, otherwise with the fewest late votes."""
    found = {}
    for number, (name, max_replicas) in enumerate(_models(catalog), 1):  # the first Deployment is the supervisors'
        deployments = [run.deployments[number] for run in runs]
        late = np.array([run.late_share(one) for one, run in zip(deployments, runs, strict=True)])
        cost = np.array([_cost_h(one, run.step_s) for one, run in zip(deployments, runs, strict=True)])
        allowed = np.flatnonzero(late <= max(level, late.min()))
        best = int(allowed[cost[allowed].argmin()])
        needed = math.ceil(HEADROOM * float(deployments[best].replicas.max()))
        found[name] = replace(candidates[best], max_replicas=max(max_replicas, needed))
    return found


def _models(catalog: Catalog) -> Iterator[tuple[str, int]]:
    """Every model as home/model, and its max replicas; in the order of the simulated Deployments."""
    for one in workers_of(catalog):
        yield one.place, one.settings.replicas.max


def _cost_h(deployment: DeploymentSeries, step_s: float) -> float:
    """Core hours, including the cost of pod starts."""
    started = float(np.clip(np.diff(deployment.replicas), 0, None).sum())
    return deployment.core_hours(step_s) + deployment.request_cores * started * POD_START_H


def _distinct(choices: Iterator[dict[str, Candidate]]) -> Iterator[dict[str, Candidate]]:
    known: list[dict[str, Candidate]] = []
    for choice in choices:
        if choice not in known:
            known.append(choice)
            yield choice


def _simulated(
    given: SimulationInput,
    choices: Sequence[Mapping[str, Candidate]],
    seeds: int,
    progress: Callable[[float], None],
) -> list[list[GameResult]]:
    """The results of each choice, one for each seed."""
    catalog, load = given.games[0]
    first = given.settings.seed
    inputs = [
        replace(
            given,
            games=[(with_changes(catalog, choice), load)],
            settings=replace(given.settings, seed=first + number),
        )
        for choice in choices
        for number in range(seeds)
    ]
    results = [run[0] for run in run_all(inputs, progress)]
    return [results[number * seeds : (number + 1) * seeds] for number in range(len(choices))]


def _scheduled(choice: Mapping[str, Candidate], results: Sequence[GameResult], load: Load) -> dict[str, Candidate]:
    """The choice with a window for the rush of the load: each model begins with its replicas after the rise.

    Empty if the load has no rush, or if no model needs more than its minimum.
    """
    rush = rush_of(load)
    if rush is None:
        return {}
    found = dict(choice)
    for number, (name, one) in enumerate(choice.items(), 1):  # the first Deployment is the supervisors'
        first, last = (int(at_s / results[0].step_s) for at_s in (rush.risen_s, rush.risen_s + SETTLED_S))
        needed = max(int(np.median(run.deployments[number].replicas[first:last])) for run in results)
        if needed > one.min_replicas:
            found[name] = replace(one, schedule=(rush.schedule(needed),))
    return {} if found == dict(choice) else found


def _point(choice: Mapping[str, Candidate], results: Sequence[GameResult], slo: Slo) -> FrontierPoint:
    """The worst of all seeds counts."""
    return FrontierPoint(
        choice,
        max(result.core_hours() for result in results),
        min(result.share("full") for result in results),
        max(result.quantile_s(0.95) for result in results),
        tuple(all_misses(slo, results)),
    )
