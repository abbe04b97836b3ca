"""S15: a supervisor before simulated models, beside the ideal mesh under the same arrivals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest import arrivals, metering
from loadtest.bench.plan import Plan
from loadtest.bench.results import LoadPoint, Simulated, median_simulated
from loadtest.driving import Drive, Driven, Options, drive
from loadtest.latency import percentiles
from loadtest.peers.mesh import Mesh, load_features, simulated_mesh
from loadtest.simulated.limit import ideal_latencies_s
from loadtest.simulated.service_times import Seconds
from loadtest.training import write_catalog, write_players
from loadtest.workloads import SimulatedEnsemble

WARM_UP_S = 2.0
SECONDS = 22.0
LIMIT_RUNS = 20  # of the same arrivals with other service times, for percentiles that stand still
LATE_SEND_MS = 1.0
BUSY_REPLICAS = 0.8


@dataclass(frozen=True, slots=True)
class Reading:
    """The CPU that was used since the processes started."""

    supervisor_cpu_s: float
    replicas_cpu_s: float


async def measure_simulated(ensemble: SimulatedEnsemble, plan: Plan) -> Simulated:
    """The medians of `plan.rounds` rounds, each with arrivals and service times of its own."""
    folder = plan.folder / ensemble.game
    folder.mkdir(parents=True, exist_ok=True)
    write_catalog(ensemble, folder)
    write_players(ensemble, folder / "players.csv")
    await load_features(folder, plan.logs)
    return median_simulated([await _round(ensemble, plan, folder, number) for number in range(plan.rounds)])


async def _round(ensemble: SimulatedEnsemble, plan: Plan, folder: Path, number: int) -> Simulated:
    await plan.begin(f"{ensemble.game} round {number + 1} of {plan.rounds}")
    async with simulated_mesh(ensemble, folder, plan.logs, number) as mesh:
        return {load: await _point(ensemble, plan, mesh, load, number) for load in ensemble.loads}


async def _point(ensemble: SimulatedEnsemble, plan: Plan, mesh: Mesh, load: float, number: int) -> LoadPoint:
    async def meter() -> Reading:
        return Reading(metering.cpu_s([mesh.supervisor]), metering.cpu_s(mesh.workers))

    seconds = plan.seconds or SECONDS
    rate_rps, seed = load * ensemble.capacity_rps, number * 1000 + round(load * 100)
    driven = await drive(_open(ensemble, mesh, rate_rps, seconds, seed), meter, plan.logs)
    point = beside_the_limit(driven, limit_ms(ensemble, rate_rps, seconds, seed), seconds)
    what = f"{ensemble.game} mesh, {load:.0%} load"
    plan.tell(what, driven)
    for doubt in doubts(point):
        plan.doubt(f"{what}: {doubt}")
    return point


def doubts(point: LoadPoint) -> Iterator[str]:
    """What speaks against a measurement, other than the mesh."""
    if point.slip_p99_ms > LATE_SEND_MS:
        yield f"the generator sent {point.slip_p99_ms:.1f} ms late (p99)"
    if point.replicas_cpu > BUSY_REPLICAS:
        yield f"simulating the replicas took {point.replicas_cpu:.0%} of a core"


def limit_ms(ensemble: SimulatedEnsemble, rate_rps: float, seconds: float, seed: int) -> Seconds:
    """The ideal mesh's latencies, in ms, for the arrivals that a generator makes of the same arguments."""
    due_s = arrivals.poisson(rate_rps, WARM_UP_S + seconds, seed)
    rng = np.random.default_rng(seed)
    runs = [
        ideal_latencies_s(due_s, ensemble.service, ensemble.models, ensemble.replicas, rng)[due_s >= WARM_UP_S]
        for _ in range(LIMIT_RUNS)
    ]
    return np.concatenate(runs) * 1000


def beside_the_limit(driven: Driven[Reading], ideal_ms: Seconds, seconds: float) -> LoadPoint:
    """What was measured within `seconds`, with the percentiles of the limit."""
    limit_p50_ms, limit_p95_ms = percentiles(ideal_ms.tolist(), 50, 95)
    before, after = driven.before, driven.after
    return LoadPoint(
        p50_ms=driven.level.p50_ms,
        p95_ms=driven.level.p95_ms,
        limit_p50_ms=limit_p50_ms,
        limit_p95_ms=limit_p95_ms,
        slip_p99_ms=driven.slip_p99_ms,
        supervisor_cpu=(after.supervisor_cpu_s - before.supervisor_cpu_s) / seconds,
        replicas_cpu=(after.replicas_cpu_s - before.replicas_cpu_s) / seconds,
    )


def _open(ensemble: SimulatedEnsemble, mesh: Mesh, rate_rps: float, seconds: float, seed: int) -> Drive:
    options: Options = {
        "address": mesh.address,
        "game": ensemble.game,
        "players": ensemble.players,
        "rate_rps": rate_rps,
        "seed": seed,
    }
    return Drive("open", WARM_UP_S, seconds, options)
