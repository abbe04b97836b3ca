"""What a simulation comes to: a line for each step, each decision that changed something, and sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from autoscaling.engine.rationale import Reasoning

# Latencies are counted in classes that are 2 % apart.
EDGES_S = np.geomspace(0.0005, 60.0, 592)


@dataclass(frozen=True, slots=True)
class Rescale:
    """A decision that changed a Deployment's replicas."""

    at_s: float
    before: int
    after: int
    reasoning: Reasoning


@dataclass(slots=True)
class Track:
    """One Deployment over the steps [steps]: replicas asked for, pods ready, cores used and share of the request."""

    name: str
    min_replicas: int
    max_replicas: int
    target_percent: int | None
    request_cores: float
    memory_mb: float
    replicas: Floats
    ready: Floats
    cores: Floats
    late: Floats
    rescales: list[Rescale] = field(default_factory=list)

    @property
    def percent(self) -> Floats:
        """CPU of the ready pods, percent of what they request [steps]."""
        requested = self.ready * self.request_cores
        return 100 * np.divide(self.cores, requested, out=np.zeros(len(self.cores)), where=requested > 0)

    def core_hours(self, step_s: float) -> float:
        """Cores requested, over time."""
        return float(self.request_cores * self.replicas.sum() * step_s / 3600)


@dataclass(slots=True)
class GameResult:
    """One game: load and answers by step, and its Deployments, the supervisors' first."""

    game: str
    load: str
    start_s: float
    step_s: float
    rps: Floats
    p50_s: Floats
    p95_s: Floats
    p99_s: Floats
    full: Floats
    partial: Floats
    fallback: Floats
    latencies: Floats
    tracks: list[Track]

    def quantile_s(self, share: float) -> float:
        """The latency of all answers below which `share` of them are."""
        total = np.cumsum(self.latencies)
        if total[-1] <= 0:
            return 0.0
        return float(EDGES_S[min(int(np.searchsorted(total, share * total[-1])), len(EDGES_S) - 1)])

    def share(self, what: str) -> float:
        """The share of all answers that were `full`, `partial` or `fallback`."""
        answers = self.rps.sum()
        return float((getattr(self, what) * self.rps).sum() / answers) if answers else 0.0

    def late_share(self, track: Track) -> float:
        """The share of all requests whose vote of that model was late or never came."""
        return float((track.late * self.rps).sum() / max(self.rps.sum(), 1e-9))

    @property
    def hours(self) -> float:
        """How long the simulation is."""
        return len(self.rps) * self.step_s / 3600

    def replica_hours(self) -> float:
        """Of all Deployments, by the replicas asked for."""
        return float(sum(track.replicas.sum() for track in self.tracks) * self.step_s / 3600)

    def core_hours(self) -> float:
        """Cores requested, over time."""
        return sum(track.core_hours(self.step_s) for track in self.tracks)

    def memory_gb_hours(self) -> float:
        """Memory used, in GiB, over time."""
        used = sum(track.replicas.sum() * track.memory_mb for track in self.tracks)
        return float(used * self.step_s / 3600 / 1024)

    def peak_replicas(self) -> dict[str, int]:
        """The most of each Deployment: what a fixed fleet would need all the time."""
        return {track.name: int(track.replicas.max()) for track in self.tracks}


def summary(result: GameResult) -> dict[str, Any]:
    """The sums of one game, for tables and programs."""
    return {
        "p50_ms": 1000 * result.quantile_s(0.5),
        "p95_ms": 1000 * result.quantile_s(0.95),
        "p99_ms": 1000 * result.quantile_s(0.99),
        "full": result.share("full"),
        "partial": result.share("partial"),
        "fallback": result.share("fallback"),
        "replica_hours": result.replica_hours(),
        "core_hours": result.core_hours(),
        "memory_gb_hours": result.memory_gb_hours(),
        "rescales": sum(len(track.rescales) for track in result.tracks),
    }
