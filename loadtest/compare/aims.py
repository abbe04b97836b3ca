"""What the mesh is to reach beside its peers, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.bench.aims import Aim
from loadtest.compare.results import Comparison, best_rps
from loadtest.latency import ratio
from loadtest.workloads import W15, W15X100

# By workload: how many times the monolith's best rate the mesh's is to be.
OVER_THE_MONOLITH: Mapping[str, float] = {W15.game: 3.0, W15X100.game: 8.0}


def aims(measured: Sequence[Comparison]) -> list[Aim]:
    """The aims of those workloads on which both the mesh and the monolith were measured."""
    return [
        _over_the_monolith(comparison)
        for comparison in measured
        if comparison.workload.game in OVER_THE_MONOLITH and {"mesh", "monolith"} <= comparison.systems.keys()
    ]


def _over_the_monolith(comparison: Comparison) -> Aim:
    game, systems = comparison.workload.game, comparison.systems
    times = ratio(best_rps(systems["mesh"]), best_rps(systems["monolith"]))
    return Aim(f"{game.upper()} best rps, times the monolith's", times, OVER_THE_MONOLITH[game], at_least=True)
