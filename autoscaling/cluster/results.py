"""The result of a simulation: values of each step, rescales, and totals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from autoscaling.engine.rationale import Rationale

# Upper bounds of the latency histogram; they are 2 % apart.
EDGES_S = np.geomspace(0.0005, 60.0, 592)


@dataclass(frozen=True, slots=True)
class Rescale:
    """A decision that changed a Deployment's replicas."""

    at_s: float
    before: int
    after: int
    rationale: Rationale


@dataclass(slots=True)
class DeploymentSeries:
    """One Deployment over time; arrays are [steps].

    `replicas`: desired. `ready`: ready pods. `cores`: CPU used by all pods. `late`: share of votes lost or late.
    """

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
        """CPU of the ready pods in percent of their requests [steps]."""
        requested = self.ready * self.request_cores
        return 100 * np.divide(self.cores, requested, out=np.zeros(len(self.cores)), where=requested > 0)

    def core_hours(self, step_s: float) -> float:
        """Returns the requested core hours of all replicas."""
        return float(self.request_cores * self.replicas.sum() * step_s / 3600)


@dataclass(slots=True)
class GameResult:
    """One game: load and answers of each step, and its Deployments with the supervisors first.

    `cohort` is the mean number of requests in a cohort.
    """

    game: str
    load: str
    start_s: float
    step_s: float
    rps: Floats
    cohort: Floats
    p50_s: Floats
    p95_s: Floats
    p99_s: Floats
    full: Floats
    partial: Floats
    fallback: Floats
    latencies: Floats
    deployments: list[DeploymentSeries]

    def quantile_s(self, share: float) -> float:
        """Returns the quantile `share` of the latencies of all answers."""
        total = np.cumsum(self.latencies)
        if total[-1] <= 0:
            return 0.0
        return float(EDGES_S[min(int(np.searchsorted(total, share * total[-1])), len(EDGES_S) - 1)])

    def share(self, kind: str) -> float:
        """Returns the share of the answers of `kind`: `full`, `partial` or `fallback`."""
        answers = self.rps.sum()
        return float((getattr(self, kind) * self.rps).sum() / answers) if answers else 0.0

    def late_share(self, deployment: DeploymentSeries) -> float:
        """Returns the share of all requests for which the vote of a model was late or missing."""
        return float((deployment.late * self.rps).sum() / max(self.rps.sum(), 1e-9))

    @property
    def hours(self) -> float:
        """The simulated time in hours."""
        return len(self.rps) * self.step_s / 3600

    def replica_hours(self) -> float:
        """Returns the replica hours of all Deployments, by desired replicas."""
        return float(sum(one.replicas.sum() for one in self.deployments) * self.step_s / 3600)

    def core_hours(self) -> float:
        """Returns the requested core hours of all Deployments."""
        return sum(one.core_hours(self.step_s) for one in self.deployments)

    def memory_gb_hours(self) -> float:
        """Returns the used memory of all Deployments, in GiB hours."""
        used = sum(one.replicas.sum() * one.memory_mb for one in self.deployments)
        return float(used * self.step_s / 3600 / 1024)

    def peak_replicas(self) -> dict[str, int]:
        """Returns the maximum replicas of each Deployment, which a fixed fleet would always need."""
        return {one.name: int(one.replicas.max()) for one in self.deployments}


def summary(result: GameResult) -> dict[str, Any]:
    """Returns the totals of one game, for tables and JSON."""
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
        "rescales": sum(len(one.rescales) for one in result.deployments),
    }
