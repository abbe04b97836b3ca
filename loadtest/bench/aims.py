"""What the mesh is to reach on the workloads, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.bench.results import LoadPoint, Simulated, Trained
from loadtest.latency import ratio

# By load: how far p50 and p95 may be above the limit's.
NEAR_THE_LIMIT = {0.1: (1.12, 1.12), 0.4: (1.12, 1.12), 0.7: (1.15, 1.30)}


@dataclass(frozen=True, slots=True)
class Aim:
    """A number and the bound that it is to keep: at least or at most `bound`."""

    text: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the bound is kept."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def trained_aims(w15: Trained) -> list[Aim]:
    """The aims of W15, against the monolith of the same run."""
    best = ratio(max(level.rps for level in w15.mesh.values()), max(level.rps for level in w15.monolith.values()))
    fewest = min(w15.mesh)
    alone = ratio(w15.mesh[fewest].p50_ms, w15.monolith[fewest].p50_ms)
    return [
        Aim("W15 best rps, times the monolith's", best, 3.0, at_least=True),
        Aim(f"W15 p50 at {fewest} caller(s), times the monolith's", alone, 2.0),
        Aim("W15 memory of the largest worker, MB", w15.footprint.worker_pss_mb, 55.0),
        Aim("W15 first full answer, s", w15.footprint.first_answer_s, 3.0),
    ]


def simulated_aims(s15: Simulated) -> list[Aim]:
    """The aims of S15, against the limit."""
    return [aim for load, point in s15.items() if load in NEAR_THE_LIMIT for aim in _near(load, point)]


def _near(load: float, point: LoadPoint) -> list[Aim]:
    p50_bound, p95_bound = NEAR_THE_LIMIT[load]
    p50, p95 = ratio(point.p50_ms, point.limit_p50_ms), ratio(point.p95_ms, point.limit_p95_ms)
    return [
        Aim(f"S15 p50 at {load:.0%} load, times the limit's", p50, p50_bound),
        Aim(f"S15 p95 at {load:.0%} load, times the limit's", p95, p95_bound),
    ]
