"""Writes a simulation down, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoscaling.cluster.controller import Controlled
from autoscaling.cluster.ensemble import SAMPLES, Step
from autoscaling.cluster.games import GameWorld
from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import EDGES_S, GameResult, Track
from autoscaling.cluster.supervisor_costs import Supervision
from autoscaling.engine.hpa import Hpa

_SHARES = (0.5, 0.95, 0.99)


class Recording:
    """One game's result in the making."""

    def __init__(self, game: GameWorld, controlled: Sequence[Controlled], steps: int, step_s: float) -> None:
        self._game = game
        load = game.load
        rps, p50_s, p95_s, p99_s, full, partial, fallback = (np.zeros(steps) for _ in range(7))
        self.result = GameResult(
            *(game.catalog.game, load.name, load.start_s, step_s),
            *(rps, p50_s, p95_s, p99_s, full, partial, fallback),
            latencies=np.zeros(len(EDGES_S) + 1),
            tracks=list(_tracks(controlled, steps)),
        )

    def take(self, step: int, rps: float, supervision: Supervision, versions: Sequence[Step], at_s: float) -> None:
        """One step at `rps`, as its supervisors and its versions bore it."""
        result, shed = self.result, supervision.shed
        result.rps[step] = rps
        self._take_fleets(step, supervision.cores, versions, at_s)
        shares = [version.share for version in self._game.versions]
        seconds, weights = _mixed(versions, shares, shed)
        for what in ("full", "partial", "fallback"):
            counted = sum(share * getattr(one.answers, what) for share, one in zip(shares, versions, strict=True))
            getattr(result, what)[step] = (1 - shed) * counted / SAMPLES + (shed if what == "fallback" else 0.0)
        result.p50_s[step], result.p95_s[step], result.p99_s[step] = _quantiles(seconds, weights)
        places = np.searchsorted(EDGES_S, seconds)
        result.latencies += np.bincount(places, weights * rps * result.step_s, minlength=len(EDGES_S) + 1)

    def _take_fleets(self, step: int, cores: float, versions: Sequence[Step], at_s: float) -> None:
        used = np.concatenate([[0.0], *(one.cores for one in versions)])
        late = np.concatenate([[0.0], *(one.late for one in versions)])
        for number, (fleet, track) in enumerate(zip(self._game.fleets, self.result.tracks, strict=True)):
            ready = fleet.ready(at_s)
            track.replicas[step], track.ready[step] = fleet.replicas, ready
            track.cores[step] = used[number] if number else cores * ready
            track.late[step] = late[number]


def _tracks(controlled: Sequence[Controlled], steps: int) -> Iterator[Track]:
    for one in controlled:
        fleet, hpa = one.fleet, one.hpa
        replicas, ready, cores, late = (np.zeros(steps) for _ in range(4))
        memory_mb = fleet.memory_m / 2**20 / 1000
        yield Track(
            *(fleet.name, hpa.min_replicas, hpa.max_replicas, _target(hpa), fleet.request_cores, memory_mb),
            *(replicas, ready, cores, late),
        )


def _target(hpa: Hpa) -> int | None:
    """Percent of the CPU request that the HPA aims at; None where it has another metric."""
    cpu = next((metric for metric in hpa.metrics if metric.name == "cpu"), None)
    return cpu.amount if cpu is not None and cpu.target == "Utilization" else None


def _mixed(versions: Sequence[Step], shares: Sequence[float], shed: float) -> tuple[Floats, Floats]:
    """Latencies of all versions' samples, and what share of the answers each stands for."""
    seconds = np.concatenate([one.answers.seconds for one in versions])
    weights = np.repeat(np.array(shares) * (1 - shed) / SAMPLES, SAMPLES)
    return seconds, weights


def _quantiles(seconds: Floats, weights: Floats) -> Floats:
    order = np.argsort(seconds)
    total = np.cumsum(weights[order])
    if total[-1] <= 0:
        return np.zeros(len(_SHARES))
    return np.asarray(seconds[order][np.searchsorted(total, np.array(_SHARES) * total[-1])])
