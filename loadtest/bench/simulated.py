"""S15: a supervisor before simulated models, beside the ideal mesh under the same arrivals."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.bench.results import LoadPoint, Simulated, median_simulated
from loadtest.latency import percentiles
from loadtest.measuring import Point, Span, open_loop, seed_of
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.plan import Plan
from loadtest.simulated.limit import limit_ms
from loadtest.simulated.service_times import Seconds
from loadtest.training import write_inputs
from loadtest.workloads import SimulatedEnsemble

WARM_UP_S = 2.0
SECONDS = 22.0
LATE_SEND_MS = 1.0
BUSY_REPLICAS = 0.8


async def measure_simulated(ensemble: SimulatedEnsemble, plan: Plan) -> Simulated:
    """The medians of `plan.rounds` rounds, each with arrivals and service times of its own."""
    folder = plan.folder / ensemble.game
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(ensemble, folder)
    await mesh.load_features(folder, plan.logs)
    return median_simulated([await _round(ensemble, plan, number) for number in range(plan.rounds)])


async def _round(ensemble: SimulatedEnsemble, plan: Plan, number: int) -> Simulated:
    await plan.begin(f"{ensemble.game} round {number + 1} of {plan.rounds}")
    async with mesh.simulated(ensemble, plan.folder / ensemble.game, plan.logs, number) as system:
        return {load: await _point(ensemble, plan, system, load, number) for load in ensemble.loads}


async def _point(ensemble: SimulatedEnsemble, plan: Plan, system: System, load: float, number: int) -> LoadPoint:
    span = Span(WARM_UP_S, plan.seconds or SECONDS)
    rate_rps, seed = load * ensemble.capacity_rps, seed_of(load, number)
    measured = await open_loop(system, ensemble, rate_rps, seed, span, plan.logs)
    point = beside_the_limit(measured, limit_ms(ensemble, rate_rps, span, seed))
    what = f"{ensemble.game} mesh, {load:.0%} load"
    plan.tell(what, measured)
    for doubt in doubts(point):
        plan.doubt(f"{what}: {doubt}")
    return point


def doubts(point: LoadPoint) -> Iterator[str]:
    """What speaks against a measurement, other than the mesh."""
    if point.slip_p99_ms > LATE_SEND_MS:
        yield f"the generator sent {point.slip_p99_ms:.1f} ms late (p99)"
    if point.replicas_cpu > BUSY_REPLICAS:
        yield f"simulating the replicas took {point.replicas_cpu:.0%} of a core"


def beside_the_limit(point: Point, ideal_ms: Seconds) -> LoadPoint:
    """What was measured, with the percentiles of the limit."""
    limit_p50_ms, limit_p95_ms = percentiles(ideal_ms.tolist(), 50, 95)
    return LoadPoint(
        p50_ms=point.level.p50_ms,
        p95_ms=point.level.p95_ms,
        limit_p50_ms=limit_p50_ms,
        limit_p95_ms=limit_p95_ms,
        slip_p99_ms=point.slip_p99_ms,
        supervisor_cpu=point.cpu_s["supervisor"] / point.seconds,
        replicas_cpu=point.cpu_s["workers"] / point.seconds,
    )
