"""W15: the mesh and the monolith under the same callers, alternating, one round after another."""

from __future__ import annotations

from pathlib import Path

from loadtest import metering
from loadtest.bench.results import Footprint, MeshCost, Trained, median_trained
from loadtest.latency import Level
from loadtest.measuring import Point, Span, closed_loop
from loadtest.peers import mesh, monolith
from loadtest.peers.system import System
from loadtest.plan import Plan
from loadtest.workloads import TrainedEnsemble

WARM_UP_S = 1.0
SECONDS = 4.0


async def measure_trained(ensemble: TrainedEnsemble, plan: Plan, engine: mesh.Engine | None = None) -> Trained:
    """The medians of `plan.rounds` rounds; `training.prepare` must have filled the workload's folder.

    The mesh scores by `engine`; without one its workers choose.
    """
    folder = plan.folder / ensemble.game
    await mesh.load_features(folder, plan.logs)
    return median_trained([await _round(ensemble, plan, folder, number, engine) for number in range(plan.rounds)])


async def _round(
    ensemble: TrainedEnsemble, plan: Plan, folder: Path, number: int, engine: mesh.Engine | None
) -> Trained:
    await plan.begin(f"{ensemble.game} round {number + 1} of {plan.rounds}")
    mesh_levels: dict[int, Level] = {}
    peer_levels: dict[int, Level] = {}
    costs: dict[int, MeshCost] = {}

    async def ask(name: str, system: System, callers: int) -> Point:
        span = Span(WARM_UP_S, plan.seconds or SECONDS)
        point = await closed_loop(system, ensemble, callers, number, span, plan.logs)
        plan.tell(f"{ensemble.game} {name}, {callers} callers", point)
        return point

    # The mesh starts alone, because the time to its first answer counts.
    async with (
        mesh.trained(ensemble, folder, plan.logs, engine) as ours,
        monolith.trained(ensemble, folder, plan.logs) as peer,
    ):
        for callers in ensemble.callers:
            # Who goes first changes from round to round: what the machine does meanwhile is to hit both alike.
            if number % 2:
                peer_levels[callers] = (await ask(monolith.name, peer, callers)).level
            point = await ask(mesh.name, ours, callers)
            mesh_levels[callers], costs[callers] = point.level, cost_of(point)
            if not number % 2:
                peer_levels[callers] = (await ask(monolith.name, peer, callers)).level
        return Trained(mesh_levels, costs, peer_levels, _footprint(ours, peer))


def cost_of(point: Point) -> MeshCost:
    """The CPU of one answer and the mean cohort within the measured time."""
    us_an_answer = 1e6 / point.answers
    return MeshCost(
        supervisor_cpu_us=point.cpu_s["supervisor"] * us_an_answer,
        worker_cpu_us=point.cpu_s["workers"] * us_an_answer,
        mean_cohort=point.mean_cohort,
    )


def _footprint(ours: System, peer: System) -> Footprint:
    workers = [metering.pss_mb(pid) for pid in ours.parts["workers"]]
    supervisor = sum(metering.pss_mb(pid) for pid in ours.parts["supervisor"])
    return Footprint(
        first_answer_s=ours.first_answer_s,
        supervisor_pss_mb=supervisor,
        worker_pss_mb=max(workers),
        mesh_pss_mb=supervisor + sum(workers),
        monolith_pss_mb=sum(metering.pss_mb(pid) for pid in peer.pids),
    )
