"""W15: the mesh and the monolith under the same callers, alternating, one round after another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadtest import metering
from loadtest.bench.plan import Plan
from loadtest.bench.results import Footprint, MeshCost, Trained, median_trained
from loadtest.driving import Drive, Driven, Options, drive, no_meter
from loadtest.latency import Level, ratio
from loadtest.metering import Cohorts
from loadtest.peers.mesh import Mesh, load_features, trained_mesh
from loadtest.peers.monolith import Monolith, monolith
from loadtest.workloads import TrainedEnsemble

WARM_UP_S = 1.0
SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mesh has spent since it started."""

    supervisor_cpu_s: float
    worker_cpu_s: float
    cohorts: Cohorts


async def measure_trained(ensemble: TrainedEnsemble, plan: Plan) -> Trained:
    """The medians of `plan.rounds` rounds; `training.prepare` must have filled the workload's folder."""
    folder = plan.folder / ensemble.game
    await load_features(folder, plan.logs)
    return median_trained([await _round(ensemble, plan, folder, number) for number in range(plan.rounds)])


async def _round(ensemble: TrainedEnsemble, plan: Plan, folder: Path, number: int) -> Trained:
    await plan.begin(f"{ensemble.game} round {number + 1} of {plan.rounds}")
    mesh_levels: dict[int, Level] = {}
    peer_levels: dict[int, Level] = {}
    costs: dict[int, MeshCost] = {}
    # The mesh starts alone, because the time to its first answer counts.
    async with trained_mesh(ensemble, folder, plan.logs) as mesh, monolith(folder, plan.logs) as peer:
        for callers in ensemble.callers:
            # Who goes first changes from round to round: what the machine does meanwhile is to hit both alike.
            if number % 2:
                peer_levels[callers] = await _ask_monolith(ensemble, plan, peer, callers, number)
            mesh_levels[callers], costs[callers] = await _ask_mesh(ensemble, plan, mesh, callers, number)
            if not number % 2:
                peer_levels[callers] = await _ask_monolith(ensemble, plan, peer, callers, number)
        return Trained(mesh_levels, costs, peer_levels, _footprint(mesh, peer))


async def _ask_mesh(
    ensemble: TrainedEnsemble, plan: Plan, mesh: Mesh, callers: int, seed: int
) -> tuple[Level, MeshCost]:
    async def meter() -> Reading:
        cohorts = await metering.cohorts(mesh.metrics_address)
        return Reading(metering.cpu_s([mesh.supervisor]), metering.cpu_s(mesh.workers), cohorts)

    closed = _closed(ensemble, plan, callers, seed, {"kind": "score", "address": mesh.address})
    driven = await drive(closed, meter, plan.logs)
    plan.tell(f"{ensemble.game} mesh, {callers} callers", driven)
    return driven.level, cost_of(driven)


async def _ask_monolith(ensemble: TrainedEnsemble, plan: Plan, peer: Monolith, callers: int, seed: int) -> Level:
    closed = _closed(ensemble, plan, callers, seed, {"kind": "http", "address": peer.address})
    driven = await drive(closed, no_meter, plan.logs)
    plan.tell(f"{ensemble.game} monolith, {callers} callers", driven)
    return driven.level


def cost_of(driven: Driven[Reading]) -> MeshCost:
    """The CPU of one answer and the mean cohort within the measured time."""
    before, after = driven.before, driven.after
    us_an_answer = 1e6 / driven.answers
    return MeshCost(
        supervisor_cpu_us=(after.supervisor_cpu_s - before.supervisor_cpu_s) * us_an_answer,
        worker_cpu_us=(after.worker_cpu_s - before.worker_cpu_s) * us_an_answer,
        mean_cohort=ratio(
            after.cohorts.requests - before.cohorts.requests, after.cohorts.departed - before.cohorts.departed
        ),
    )


def _closed(ensemble: TrainedEnsemble, plan: Plan, callers: int, seed: int, target: dict[str, str]) -> Drive:
    options: Options = {"game": ensemble.game, "players": ensemble.players, "callers": callers, "seed": seed}
    return Drive("closed", WARM_UP_S, plan.seconds or SECONDS, {**target, **options})


def _footprint(mesh: Mesh, peer: Monolith) -> Footprint:
    workers = [metering.pss_mb(pid) for pid in mesh.workers]
    supervisor = metering.pss_mb(mesh.supervisor)
    return Footprint(
        first_answer_s=mesh.first_answer_s,
        supervisor_pss_mb=supervisor,
        worker_pss_mb=max(workers),
        mesh_pss_mb=supervisor + sum(workers),
        monolith_pss_mb=sum(metering.pss_mb(pid) for pid in peer.processes),
    )
