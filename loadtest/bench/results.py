"""What a benchmark measured, round by round, and the document that it leaves: medians, in fixed keys."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from loadtest.latency import Level, median_level

Item = TypeVar("Item")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MeshCost:
    """What a mesh spent on one request at one load (CPU of all workers together), and its mean cohort."""

    supervisor_cpu_us: float
    worker_cpu_us: float
    mean_cohort: float


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a mesh and a monolith hold after their load: `worker_pss_mb` is the largest worker's."""

    first_answer_s: float
    supervisor_pss_mb: float
    worker_pss_mb: float
    mesh_pss_mb: float
    monolith_pss_mb: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained ensemble, in one round or in the medians of several; the mappings are by number of callers."""

    mesh: Mapping[int, Level]
    costs: Mapping[int, MeshCost]
    monolith: Mapping[int, Level]
    footprint: Footprint

    @property
    def best(self) -> int:
        """The number of callers at which the mesh answers most."""
        return max(self.mesh, key=lambda callers: self.mesh[callers].rps)


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One simulated ensemble at one load, beside its limit.

    `slip_p99_ms` is how late requests were sent; the CPU figures are shares of one core.
    """

    p50_ms: float
    p95_ms: float
    limit_p50_ms: float
    limit_p95_ms: float
    slip_p99_ms: float
    supervisor_cpu: float
    replicas_cpu: float


# A simulated ensemble, by load, in one round or in the medians of several.
Simulated = Mapping[float, LoadPoint]


def median_trained(rounds: Sequence[Trained]) -> Trained:
    """The median of every number by itself; at least one round."""
    callers = list(rounds[0].mesh)
    return Trained(
        mesh={count: median_level([one.mesh[count] for one in rounds]) for count in callers},
        costs={count: _medians(MeshCost, [one.costs[count] for one in rounds]) for count in callers},
        monolith={count: median_level([one.monolith[count] for one in rounds]) for count in callers},
        footprint=_medians(Footprint, [one.footprint for one in rounds]),
    )


def median_simulated(rounds: Sequence[Simulated]) -> Simulated:
    """The median of every number by itself; at least one round."""
    return {load: _medians(LoadPoint, [one[load] for one in rounds]) for load in rounds[0]}


def document(w15: Trained | None, s15: Simulated | None) -> Document:
    """What `build/bench.json` says; a workload that was not run is not in it. CPU is that at the best rps."""
    told: Document = {}
    if w15 is not None:
        told["w15"] = _trained_document(w15)
    if s15 is not None:
        told["s15"] = {f"{load:g}": _point_document(point) for load, point in s15.items()}
    return told


def _trained_document(w15: Trained) -> Document:
    return {
        "mesh": {str(callers): _rounded(asdict(level)) for callers, level in w15.mesh.items()},
        "monolith": {str(callers): _rounded(asdict(level)) for callers, level in w15.monolith.items()},
        "supervisor_cpu_us": round(w15.costs[w15.best].supervisor_cpu_us, 1),
        "worker_cpu_us": round(w15.costs[w15.best].worker_cpu_us, 1),
        "supervisor_pss_mb": round(w15.footprint.supervisor_pss_mb, 1),
        "worker_pss_mb": round(w15.footprint.worker_pss_mb, 1),
        "first_answer_s": round(w15.footprint.first_answer_s, 2),
    }


def _point_document(point: LoadPoint) -> Document:
    keys = ("p50_ms", "p95_ms", "limit_p50_ms", "limit_p95_ms")
    return _rounded({key: getattr(point, key) for key in keys})


def _rounded(numbers: Mapping[str, float]) -> Document:
    return {key: round(value, 2) for key, value in numbers.items()}


def _medians(kind: Callable[..., Item], items: Sequence[Any]) -> Item:
    columns = [asdict(item) for item in items]
    return kind(**{key: statistics.median(column[key] for column in columns) for key in columns[0]})
