"""The aims of the mesh on the workloads: against the monolith, against the ideal mesh, and on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loadtest.compare.results import Comparison
from loadtest.measurement.aims import Aim
from loadtest.measurement.latency import ratio
from loadtest.peers.mesh import SCALED_OUT
from loadtest.workloads import S15, W15, W15X100

# By workload: the least ratio of the best rates of the mesh and of the monolith.
OVER_THE_MONOLITH: Mapping[str, float] = {W15.game: 3.0, W15X100.game: 8.0}
P50_OVER_THE_MONOLITH = 2.0  # at the fewest callers
# The least ratio of the rate with several replicas of each model to the rate with one, at any number of callers.
SCALED_OUT_OVER_ONE = 0.95
LARGEST_WORKER_MB, FIRST_ANSWER_S = 55.0, 3.0
# By load: the largest ratios of p50 and p95 to those of the limit.
NEAR_THE_LIMIT = {0.1: (1.12, 1.12), 0.4: (1.12, 1.12), 0.7: (1.15, 1.30)}


def aims(measured: Sequence[Comparison]) -> list[Aim]:
    """The aims of the workloads for which the mesh, and the monolith or the limit if needed, were measured."""
    return [
        aim
        for comparison in measured
        if "mesh" in comparison.systems
        for aim in (
            *_over_the_monolith(comparison),
            *_scaled_out(comparison),
            *_of_the_mesh(comparison),
            *_near_the_limit(comparison),
        )
    ]


def _over_the_monolith(comparison: Comparison) -> Iterator[Aim]:
    game = comparison.workload.game
    mesh, monolith = comparison.systems["mesh"], comparison.systems.get("monolith")
    if monolith is None or game not in OVER_THE_MONOLITH:
        return
    best = ratio(mesh.best_rps, monolith.best_rps)
    yield Aim(f"{game.upper()} best rps, times the monolith's", best, OVER_THE_MONOLITH[game], at_least=True)
    if game == W15.game:
        fewest = min(mesh.loads)
        p50 = ratio(mesh.loads[fewest].p50_ms, monolith.loads[fewest].p50_ms)
        yield Aim(f"W15 p50 at {fewest:g} caller(s), times the monolith's", p50, P50_OVER_THE_MONOLITH)


def _scaled_out(comparison: Comparison) -> Iterator[Aim]:
    one = comparison.systems["mesh"].loads
    for peer in SCALED_OUT:
        if (scaled := comparison.systems.get(peer.name)) is not None:
            least = min(ratio(scaled.loads[callers].rps, one[callers].rps) for callers in one)
            title = f"{comparison.workload.game.upper()} least rps with {peer.replicas} replicas, times that with one"
            yield Aim(title, least, SCALED_OUT_OVER_ONE, at_least=True)


def _of_the_mesh(comparison: Comparison) -> Iterator[Aim]:
    mesh = comparison.systems["mesh"]
    if comparison.workload.game != W15.game:
        return
    if "workers" in mesh.parts:
        yield Aim("W15 memory of the largest worker, MB", mesh.parts["workers"].largest_pss_mb, LARGEST_WORKER_MB)
    yield Aim("W15 first full answer, s", mesh.first_answer_s, FIRST_ANSWER_S)


def _near_the_limit(comparison: Comparison) -> Iterator[Aim]:
    if comparison.workload.game != S15.game:
        return
    for load, limit in comparison.limit.items():
        if load in NEAR_THE_LIMIT:
            mesh, (p50_bound, p95_bound) = comparison.systems["mesh"].loads[load], NEAR_THE_LIMIT[load]
            yield Aim(f"S15 p50 at {load:.0%} load, times the limit's", ratio(mesh.p50_ms, limit.p50_ms), p50_bound)
            yield Aim(f"S15 p95 at {load:.0%} load, times the limit's", ratio(mesh.p95_ms, limit.p95_ms), p95_bound)
