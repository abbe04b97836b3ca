"""The rounds of a comparison: one system after another, each alone on the machine, in an order that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.compare.results import Comparison, Figures, Outcome, PartMemory, figures_of
from loadtest.errors import FAILURES
from loadtest.measurement import meters
from loadtest.measurement.latency import median, percentiles
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point, Span, closed_loop, open_loop, seed_of
from loadtest.measurement.turns import in_turn
from loadtest.peers.mesh import load_features
from loadtest.peers.system import Peer, System
from loadtest.simulated.limit import limit_ms
from loadtest.workload_files import prepare, write_inputs
from loadtest.workloads import SimulatedEnsemble, TrainedEnsemble, Workload

CLOSED, OPEN = Span(1.0, 4.0), Span(2.0, 12.0)
LONGEST_S = 30.0
LATE_SEND_MS = 1.0
BUSY_REPLICAS = 0.8


@dataclass(frozen=True, slots=True)
class Spans:
    """The duration of one measurement: `closed` for trained models, `open` for simulated models."""

    closed: Span = CLOSED
    open: Span = OPEN

    def lasting(self, seconds: float | None) -> Spans:
        """The same warm-ups with another duration; None changes nothing."""
        if seconds is None:
            return self
        return Spans(replace(self.closed, seconds=seconds), replace(self.open, seconds=seconds))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Compares `peers` on one workload in the rounds of `plan`.

    A system that cannot be measured is a fault and is left out; with `is_strict` it ends the comparison instead.
    """

    workload: Workload
    peers: Sequence[Peer]
    plan: Plan
    spans: Spans = Spans()
    is_strict: bool = False

    async def compare(self) -> Comparison:
        """The medians of all rounds. Raises an error of FAILURES if the workload cannot be prepared."""
        _write_workload(self.workload, self.plan)
        await load_features(self._folder, self.plan.logs)
        outcomes: dict[str, list[Outcome]] = {peer.name: [] for peer in self.peers}
        for number in range(self.plan.rounds):
            for peer in in_turn(self.peers, number):
                if (outcome := await self._turn(peer, number)) is not None:
                    outcomes[peer.name].append(outcome)
        systems = {name: median(rounds) for name, rounds in outcomes.items() if rounds}
        return Comparison(self.workload, systems, self._limits())

    @property
    def _folder(self) -> Path:
        return self.plan.folder / self.workload.game

    async def _turn(self, peer: Peer, number: int) -> Outcome | None:
        game, plan = self.workload.game, self.plan
        await plan.begin(f"{game} round {number + 1} of {plan.rounds}: {peer.name}")
        try:
            async with self._started(peer, number) as system:
                loads = await self._loads(peer.name, system, number)
                parts = {part: _memory(pids) for part, pids in system.parts.items()}
                pss_mb = sum(memory.pss_mb for memory in parts.values())
                return Outcome(loads, pss_mb, system.first_answer_s, parts)
        except FAILURES as error:
            if self.is_strict:
                raise
            plan.fault(f"{game} {peer.name}: {error}")
            return None

    def _started(self, peer: Peer, number: int) -> AbstractAsyncContextManager[System]:
        if isinstance(self.workload, TrainedEnsemble):
            return peer.trained(self.workload, self._folder, self.plan.logs)
        return peer.simulated(self.workload, self._folder, self.plan.logs, number)

    async def _loads(self, name: str, system: System, number: int) -> Mapping[float, Figures]:
        if isinstance(self.workload, TrainedEnsemble):
            return await self._closed_loads(self.workload, name, system, number)
        return await self._open_loads(self.workload, name, system, number)

    async def _closed_loads(
        self, ensemble: TrainedEnsemble, name: str, system: System, number: int
    ) -> Mapping[float, Figures]:
        loads: dict[float, Figures] = {}
        rps = 0.0
        for callers in ensemble.callers:
            span = steady(self.spans.closed, callers, rps)
            point = await closed_loop(system, ensemble, callers, number, span, self.plan.logs)
            self.plan.report(f"{ensemble.game} {name}, {callers} callers", point)
            loads[callers], rps = figures_of(point), point.level.rps
        return loads

    async def _open_loads(
        self, ensemble: SimulatedEnsemble, name: str, system: System, number: int
    ) -> Mapping[float, Figures]:
        loads: dict[float, Figures] = {}
        for load in ensemble.loads:
            step = f"{ensemble.game} {name}, {load:.0%} load"
            rate_rps, seed = load * ensemble.capacity_rps, seed_of(load, number)
            point = await open_loop(system, ensemble, rate_rps, seed, self.spans.open, self.plan.logs)
            self.plan.report(step, point)
            for doubt in doubts(point):
                self.plan.doubt(f"{step}: {doubt}")
            loads[load] = figures_of(point)
        return loads

    def _limits(self) -> Mapping[float, Figures]:
        """The medians of the limits of all rounds: each round has arrivals of its own."""
        if isinstance(self.workload, TrainedEnsemble):
            return {}
        return median([_limits(self.workload, self.spans.open, number) for number in range(self.plan.rounds)])


def steady(wanted: Span, callers: int, rps_before: float) -> Span:
    """A span in which a closed loop becomes steady and each caller is answered twice, if `wanted` is too short.

    `rps_before` is the rate at the load before; 0 for the first load.
    """
    expected_s = callers / rps_before if rps_before else 0.0
    warm_up_s = min(max(wanted.warm_up_s, 1.5 * expected_s), LONGEST_S)
    return Span(warm_up_s, min(max(wanted.seconds, 2 * expected_s), LONGEST_S))


def doubts(point: Point) -> Iterator[str]:
    """Reasons to distrust an open-loop measurement of simulated models."""
    if point.slip_p99_ms > LATE_SEND_MS:
        yield f"the generator sent {point.slip_p99_ms:.1f} ms late (p99)"
    replicas_cpu = point.cpu_s.get("workers", 0.0) / point.seconds
    if replicas_cpu > BUSY_REPLICAS:
        yield f"the simulated replicas used {replicas_cpu:.0%} of a core"


def _write_workload(workload: Workload, plan: Plan) -> None:
    if isinstance(workload, TrainedEnsemble):
        prepare(workload, plan.folder, plan.progress)
    else:
        (plan.folder / workload.game).mkdir(parents=True, exist_ok=True)
        write_inputs(workload, plan.folder / workload.game)


def _memory(pids: Sequence[int]) -> PartMemory:
    sizes_mb = [meters.pss_mb(pid) for pid in pids]
    return PartMemory(sum(sizes_mb), max(sizes_mb))


def _limits(ensemble: SimulatedEnsemble, span: Span, number: int) -> Mapping[float, Figures]:
    return {load: _limit(ensemble, load, span, seed_of(load, number)) for load in ensemble.loads}


def _limit(ensemble: SimulatedEnsemble, load: float, span: Span, seed: int) -> Figures:
    rate_rps = load * ensemble.capacity_rps
    ideal_ms = limit_ms(ensemble, rate_rps, span, seed)
    p50_ms, p95_ms, p99_ms = percentiles(ideal_ms.tolist(), 50, 95, 99)
    return Figures(rate_rps, p50_ms, p95_ms, p99_ms, cpu_us=0.0, full=1.0)
