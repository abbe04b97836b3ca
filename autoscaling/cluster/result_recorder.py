"""Collects the result of a simulation step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoscaling.cluster.controller import HpaController
from autoscaling.cluster.ensemble import SAMPLES, Step
from autoscaling.cluster.games import SimulatedGame
from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import EDGES_S, DeploymentSeries, GameResult
from autoscaling.cluster.supervisor_costs import SupervisorLoad
from autoscaling.engine.hpa import Hpa

_SHARES = (0.5, 0.95, 0.99)


class ResultRecorder:
    """Collects the result of one game."""

    def __init__(self, game: SimulatedGame, controllers: Sequence[HpaController], steps: int, step_s: float) -> None:
        self._game = game
        load = game.load
        rps, cohort, p50_s, p95_s, p99_s, full, partial, fallback = (np.zeros(steps) for _ in range(8))
        self.result = GameResult(
            *(game.catalog.game, load.name, load.start_s, step_s),
            *(rps, cohort, p50_s, p95_s, p99_s, full, partial, fallback),
            latencies=np.zeros(len(EDGES_S) + 1),
            deployments=list(_series(controllers, steps)),
        )

    def add(self, step: int, rps: float, supervisors: SupervisorLoad, versions: Sequence[Step], at_s: float) -> None:
        """Adds the load of the supervisors and of the versions in one step at `rps`."""
        result, shed = self.result, supervisors.shed
        result.rps[step], result.cohort[step] = rps, supervisors.cohort
        self._add_fleets(step, supervisors.cores, versions, at_s)
        shares = [version.share for version in self._game.versions]
        seconds, weights = _weighted(versions, shares, shed)
        for kind in ("full", "partial", "fallback"):
            counted = sum(share * getattr(one.answers, kind) for share, one in zip(shares, versions, strict=True))
            getattr(result, kind)[step] = (1 - shed) * counted / SAMPLES + (shed if kind == "fallback" else 0.0)
        result.p50_s[step], result.p95_s[step], result.p99_s[step] = _quantiles(seconds, weights)
        classes = np.searchsorted(EDGES_S, seconds)
        result.latencies += np.bincount(classes, weights * rps * result.step_s, minlength=len(EDGES_S) + 1)

    def _add_fleets(self, step: int, cores: float, versions: Sequence[Step], at_s: float) -> None:
        used, late = self._game.cores(versions, at_s), dict[str, float]()
        for version, served in zip(self._game.versions, versions, strict=True):
            for fleet, fleet_late in zip(version.fleets, served.late.tolist(), strict=True):
                late[fleet.name] = fleet_late
        for number, (fleet, series) in enumerate(zip(self._game.fleets, self.result.deployments, strict=True)):
            ready = fleet.ready(at_s)
            series.replicas[step], series.ready[step] = fleet.replicas, ready
            series.cores[step] = used[fleet.name] if number else cores * ready
            series.late[step] = late.get(fleet.name, 0.0)


def _series(controllers: Sequence[HpaController], steps: int) -> Iterator[DeploymentSeries]:
    for one in controllers:
        fleet, hpa = one.fleet, one.hpa
        replicas, ready, cores, late = (np.zeros(steps) for _ in range(4))
        memory_mb = fleet.memory_m / 2**20 / 1000
        yield DeploymentSeries(
            *(fleet.name, hpa.min_replicas, hpa.max_replicas, _target(hpa), fleet.request_cores, memory_mb),
            *(replicas, ready, cores, late),
        )


def _target(hpa: Hpa) -> int | None:
    """The CPU target of the HPA in percent of the request; None if it has no such target."""
    cpu = next((metric for metric in hpa.metrics if metric.name == "cpu"), None)
    return cpu.amount if cpu is not None and cpu.target == "Utilization" else None


def _weighted(versions: Sequence[Step], shares: Sequence[float], shed: float) -> tuple[Floats, Floats]:
    """Latencies of the samples of all versions, and the share of the answers that each sample represents."""
    seconds = np.concatenate([one.answers.seconds for one in versions])
    weights = np.repeat(np.array(shares) * (1 - shed) / SAMPLES, SAMPLES)
    return seconds, weights


def _quantiles(seconds: Floats, weights: Floats) -> Floats:
    order = np.argsort(seconds)
    total = np.cumsum(weights[order])
    if total[-1] <= 0:
        return np.zeros(len(_SHARES))
    return np.asarray(seconds[order][np.searchsorted(total, np.array(_SHARES) * total[-1])])
