"""What a comparison measured: figures at every load, for each system, in medians of rounds, and their document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from loadtest.measuring import Point
from loadtest.workloads import Workload

LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Figures:
    """One system at one load: `rps` whole answers a second, `full` their share, `cpu_us` all CPU of one answer."""

    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us: float
    full: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One system on one workload: figures by load (callers, or a share of the capacity), memory of all processes."""

    loads: Mapping[float, Figures]
    pss_mb: float
    first_answer_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload: an outcome for each system; `limit` is the ideal mesh's where there is one."""

    workload: Workload
    systems: Mapping[str, Outcome]
    limit: Mapping[float, Figures]


def figures_of(point: Point) -> Figures:
    """The figures of a measurement; only whole answers count in the rate."""
    level = point.level
    full = 1.0 - sum(point.degraded.values()) / point.answers
    return Figures(level.rps * full, level.p50_ms, level.p95_ms, level.p99_ms, point.cpu_us, full)


def best_rps(outcome: Outcome) -> float:
    """The most answers a second at any load."""
    return max(figures.rps for figures in outcome.loads.values())


def median_outcome(rounds: Sequence[Outcome]) -> Outcome:
    """The median of every number by itself; at least one round, all with the same loads."""
    return Outcome(
        loads={load: median_figures([one.loads[load] for one in rounds]) for load in rounds[0].loads},
        pss_mb=statistics.median(one.pss_mb for one in rounds),
        first_answer_s=statistics.median(one.first_answer_s for one in rounds),
    )


def median_figures(rounds: Sequence[Figures]) -> Figures:
    """The median of every number by itself; at least one."""
    names = [field.name for field in fields(Figures)]
    return Figures(**{name: statistics.median(getattr(one, name) for one in rounds) for name in names})


def document(comparison: Comparison) -> dict[str, Any]:
    """One workload of `build/compare.json`: titles, figures by system and load, the limit, and ratios to the mesh."""
    return {
        "title": comparison.workload.title,
        "systems": {name: _outcome_document(outcome) for name, outcome in comparison.systems.items()},
        "limit": _loads_document(comparison.limit),
        "mesh_over_peer": ratios(comparison),
    }


def ratios(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """For each peer: the mesh's best rps and memory over its own, and p50 and p95 by load."""
    ours = comparison.systems.get("mesh")
    peers = {name: outcome for name, outcome in comparison.systems.items() if name != "mesh"}
    return {name: _ratios(ours, peer) for name, peer in peers.items()} if ours else {}


def _ratios(ours: Outcome, peer: Outcome) -> dict[str, Any]:
    most_rps = best_rps(peer)
    return {
        "best_rps": round(best_rps(ours) / most_rps, 3) if most_rps else None,  # None: it never answered in full
        "pss_mb": round(ours.pss_mb / peer.pss_mb, 3),
        "p50_ms": {f"{load:g}": round(ours.loads[load].p50_ms / at.p50_ms, 3) for load, at in peer.loads.items()},
        "p95_ms": {f"{load:g}": round(ours.loads[load].p95_ms / at.p95_ms, 3) for load, at in peer.loads.items()},
    }


def _outcome_document(outcome: Outcome) -> dict[str, Any]:
    memory = {"pss_mb": round(outcome.pss_mb, 1), "first_answer_s": round(outcome.first_answer_s, 2)}
    return {"loads": _loads_document(outcome.loads), **memory}


def _loads_document(loads: Mapping[float, Figures]) -> dict[str, Any]:
    return {
        f"{load:g}": {name: round(value, 3) for name, value in asdict(figures).items()}
        for load, figures in loads.items()
    }
