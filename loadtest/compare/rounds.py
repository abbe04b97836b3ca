"""The rounds of a comparison: one system after another, each alone on the machine, in an order that turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from loadtest import metering
from loadtest.compare.results import Comparison, Figures, Outcome, figures_of, median_outcome
from loadtest.faults import CannotMeasure
from loadtest.latency import percentiles
from loadtest.measuring import Span, closed_loop, open_loop, seed_of
from loadtest.peers import mesh
from loadtest.peers.system import Peer, System
from loadtest.plan import Plan
from loadtest.simulated.limit import limit_ms
from loadtest.training import prepare, write_inputs
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, Workload

CLOSED = Span(1.0, 4.0)
OPEN = Span(2.0, 12.0)
LONGEST_S = 30.0
LATE_SEND_MS = 1.0


async def compare(workload: Workload, peers: Sequence[Peer], plan: Plan) -> Comparison:
    """The medians of `plan.rounds` rounds; a system that cannot be measured is a fault, and is left out."""
    folder = plan.folder / workload.game
    _fill(workload, plan)
    await mesh.load_features(folder, plan.logs)
    rounds: dict[str, list[Outcome]] = {peer.name: [] for peer in peers}
    for number in range(plan.rounds):
        for peer in in_turn(peers, number):
            await plan.begin(f"{workload.game} round {number + 1} of {plan.rounds}: {peer.name}")
            try:
                async with _started(peer, workload, folder, plan, number) as system:
                    rounds[peer.name].append(await _outcome(peer.name, system, workload, plan, number))
            except CannotMeasure as error:
                plan.fault(f"{workload.game} {peer.name}: {error}")
    systems = {name: median_outcome(outcomes) for name, outcomes in rounds.items() if outcomes}
    return Comparison(workload, systems, _limits(workload, plan))


def in_turn(peers: Sequence[Peer], number: int) -> list[Peer]:
    """Every peer once, each round from another one on and every other round backwards."""
    first = number % len(peers)
    order = [*peers[first:], *peers[:first]]
    return order[::-1] if number % 2 else order


def steady(wanted: Span, callers: int, rps_before: float) -> Span:
    """A span long enough for a closed loop to settle and for each caller to be answered twice.

    `rps_before` is what was answered at the load before; 0 when this is the first.
    """
    expected_s = callers / rps_before if rps_before else 0.0
    warm_up_s = min(max(wanted.warm_up_s, 1.5 * expected_s), LONGEST_S)
    return Span(warm_up_s, min(max(wanted.seconds, 2 * expected_s), LONGEST_S))


def _fill(workload: Workload, plan: Plan) -> None:
    if isinstance(workload, TrainedEnsemble):
        prepare(workload, plan.folder, plan.progress)
    else:
        (plan.folder / workload.game).mkdir(parents=True, exist_ok=True)
        write_inputs(workload, plan.folder / workload.game)


def _started(
    peer: Peer, workload: Workload, folder: Path, plan: Plan, number: int
) -> AbstractAsyncContextManager[System]:
    if isinstance(workload, TrainedEnsemble):
        return peer.trained(workload, folder, plan.logs)
    return peer.simulated(workload, folder, plan.logs, number)


async def _outcome(name: str, system: System, workload: Workload, plan: Plan, number: int) -> Outcome:
    if isinstance(workload, TrainedEnsemble):
        loads = await _by_callers(name, system, workload, plan, number)
    else:
        loads = await _by_load(name, system, workload, plan, number)
    return Outcome(loads, sum(metering.pss_mb(pid) for pid in system.pids), system.first_answer_s)


async def _by_callers(
    name: str, system: System, workload: TrainedEnsemble, plan: Plan, number: int
) -> Mapping[float, Figures]:
    loads: dict[float, Figures] = {}
    wanted, rps = Span(CLOSED.warm_up_s, plan.seconds or CLOSED.seconds), 0.0
    for callers in workload.callers:
        point = await closed_loop(system, workload, callers, number, steady(wanted, callers, rps), plan.logs)
        plan.tell(f"{workload.game} {name}, {callers} callers", point)
        loads[callers], rps = figures_of(point), point.level.rps
    return loads


async def _by_load(
    name: str, system: System, workload: SimulatedEnsemble, plan: Plan, number: int
) -> Mapping[float, Figures]:
    loads: dict[float, Figures] = {}
    for load in workload.loads:
        span, seed = _open_span(plan), seed_of(load, number)
        point = await open_loop(system, workload, load * workload.capacity_rps, seed, span, plan.logs)
        plan.tell(f"{workload.game} {name}, {load:.0%} load", point)
        if point.slip_p99_ms > LATE_SEND_MS:
            plan.doubt(f"{workload.game} {name}, {load:.0%} load: sent {point.slip_p99_ms:.1f} ms late (p99)")
        loads[load] = figures_of(point)
    return loads


def _limits(workload: Workload, plan: Plan) -> Mapping[float, Figures]:
    if isinstance(workload, TrainedEnsemble):
        return {}
    return {load: _limit(workload, load, plan) for load in workload.loads}


def _limit(workload: SimulatedEnsemble, load: float, plan: Plan) -> Figures:
    rate_rps = load * workload.capacity_rps
    ideal_ms = limit_ms(workload, rate_rps, _open_span(plan), seed_of(load, 0))
    p50_ms, p95_ms, p99_ms = percentiles(ideal_ms.tolist(), 50, 95, 99)
    return Figures(rate_rps, p50_ms, p95_ms, p99_ms, cpu_us=0.0, full=1.0)


def _open_span(plan: Plan) -> Span:
    return Span(OPEN.warm_up_s, plan.seconds or OPEN.seconds)
