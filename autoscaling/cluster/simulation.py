"""The simulation in steps of 15 s: load arrives, models answer, metrics follow, controllers decide, pods start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autoscaling.cluster.controller import SYNC_S, HpaController, hpa_controller
from autoscaling.cluster.ensemble import Step
from autoscaling.cluster.games import SimulatedGame, SimulatedVersion, simulated_game
from autoscaling.cluster.load import Load
from autoscaling.cluster.pods import SCRAPE_S, Fleet
from autoscaling.cluster.queueing_model import Counts, Floats
from autoscaling.cluster.result_recorder import ResultRecorder
from autoscaling.cluster.results import GameResult, Rescale
from autoscaling.cluster.scheduler import schedule_pods
from autoscaling.cluster.simulation_input import SimulationInput
from autoscaling.cluster.supervisor_costs import SupervisorLoad
from autoscaling.cluster.traffic import traffic_of
from autoscaling.engine.reconciliation import Decision
from mesh.catalog.deployment.autoscalers import Autoscaler

STEP_S = 15.0
INITIAL_ROUNDS = 3

OnDecision = Callable[[HpaController, Decision], None]
Progress = Callable[[float], None]


def simulate(
    given: SimulationInput,
    on_decision: OnDecision = lambda _controller, _decision: None,
    progress: Progress = lambda _share: None,
    until_s: float = math.inf,
) -> list[GameResult]:
    """Returns the result of each game, for the length of the longest load; deterministic for a given input.

    `on_decision` receives every decision, `progress` the share that is done. The simulation stops after `until_s`.
    """
    return _Simulation(given, on_decision).run(progress, until_s)


class _Simulation:
    """All games on the same nodes."""

    def __init__(self, given: SimulationInput, on_decision: OnDecision) -> None:
        self._settings = given.settings
        self._on_decision = on_decision
        self._rng = np.random.default_rng(given.settings.seed)
        self._games = [simulated_game(given, number, self._rng) for number in range(len(given.games))]
        self._steps = max(len(load.means(STEP_S)) for _, load in given.games)
        self._rps = [_padded(load.means(STEP_S), self._steps) for _, load in given.games]
        self._fleets = [fleet for game in self._games for fleet in game.fleets]
        self._in_flight: dict[str, float] = {}
        self._pending = False
        self._controllers = [
            [self._controller(*one, game.load) for one in zip(game.fleets, game.scalers, strict=True)]
            for game in self._games
        ]
        self._in_tick_order = sorted((one for game in self._controllers for one in game), key=lambda one: one.first_s)
        self._recorders = [
            ResultRecorder(*one, self._steps, STEP_S) for one in zip(self._games, self._controllers, strict=True)
        ]
        deployments = (one for recorder in self._recorders for one in recorder.result.deployments)
        self._rescales = {one.name: one.rescales for one in deployments}

    def run(self, progress: Progress, until_s: float) -> list[GameResult]:
        """Runs all steps."""
        for number, game in enumerate(self._games):
            self._begin(game, self._controllers[number], float(self._rps[number][0]))
        for step in range(min(self._steps, math.ceil(min(until_s, 1e9) / STEP_S) + 1)):
            for number, game in enumerate(self._games):
                self._serve(game, step, float(self._rps[number][step]), self._recorders[number])
            self._decide(step)
            if step % 50 == 0:
                progress(step / self._steps)
        return [recorder.result for recorder in self._recorders]

    def _controller(self, fleet: Fleet, scaler: Autoscaler, load: Load) -> HpaController:
        """The controller of one fleet; each HPA ticks at its own random phase."""
        first_s, scrape_s = (float(moment) for moment in self._rng.random(2) * SYNC_S)

        def in_flight() -> float:
            return self._in_flight.get(fleet.name, 0.0)

        return hpa_controller(fleet, scaler, first_s, scrape_s - SCRAPE_S, in_flight, load)

    def _begin(self, game: SimulatedGame, controllers: Sequence[HpaController], rps: float) -> None:
        """Starts with the ready replicas that the initial load needs; otherwise every simulation starts with a rush."""
        for one in controllers:
            one.fleet.begin(self._settings.fixed.get(one.fleet.name, one.hpa_at(0.0).min_replicas))
        for _ in range(INITIAL_ROUNDS):
            for one, used in zip(controllers, self._used(game, rps, -STEP_S), strict=True):
                if one.fleet.name not in self._settings.fixed:
                    one.fleet.begin(one.replicas_for(used))

    def _used(self, game: SimulatedGame, rps: float, at_s: float) -> Iterator[float]:
        """The cores that all pods of each fleet use together at `rps`."""
        supervisors, steps = self._answer(game, rps, at_s)
        yield supervisors.cores * max(1, game.supervisors.ready(at_s))
        cores = game.cores(steps, at_s)
        yield from (cores[fleet.name] for fleet in game.fleets[1:])

    def _answer(self, game: SimulatedGame, rps: float, at_s: float) -> tuple[SupervisorLoad, list[Step]]:
        servers = [_servers(one, at_s) for one in game.versions]
        count, settings = game.supervisors.ready(at_s), self._settings
        traffic = traffic_of(game, rps, count, servers, settings.offers, settings.cores)
        supervisors = traffic.supervisors
        budget_s = (game.catalog.budget_ms - game.catalog.reserve_ms) / 1000
        admitted = rps * (1 - supervisors.shed)
        steps = [
            one.queues.step(admitted * one.asked, messages, ready, budget_s, supervisors.before_s, STEP_S)
            for one, messages, ready in zip(game.versions, traffic.messages, servers, strict=True)
        ]
        return supervisors, steps

    def _serve(self, game: SimulatedGame, step: int, rps: float, recorder: ResultRecorder) -> None:
        middle_s = (step + 0.5) * STEP_S
        for fleet in game.fleets:
            fleet.advance(middle_s)
        supervisors, steps = self._answer(game, rps, middle_s)
        game.supervisors.used(supervisors.cores)
        cores = game.cores(steps, middle_s)
        for fleet in game.fleets[1:]:
            fleet.used(cores[fleet.name] / max(1, fleet.ready(middle_s)))
        for version, served in zip(game.versions, steps, strict=True):
            for fleet, in_flight in zip(version.fleets, served.in_flight.tolist(), strict=True):
                self._in_flight[fleet.name] = in_flight
        recorder.add(step, rps, supervisors, steps, middle_s)

    def _decide(self, step: int) -> None:
        """Every HPA ticks once per step, at its own phase."""
        for one in self._in_tick_order:
            now_s = step * STEP_S + one.first_s
            if one.fleet.name in self._settings.fixed:
                one.fleet.advance(now_s)
                continue
            up = not any(began_s <= now_s < ended_s for began_s, ended_s in self._settings.api_down)
            decision = one.decide(now_s, up)
            if decision.rescaled:
                rescale = Rescale(now_s, one.fleet.replicas, decision.replicas, decision.rationale)
                self._rescales[one.fleet.name].append(rescale)
                one.fleet.scale(decision.replicas, now_s)
                self._pending = True
            self._on_decision(one, decision)
            if self._pending:
                self._pending = schedule_pods(self._fleets, self._settings.cores, now_s, self._rng)


def _padded(rates: Floats, steps: int) -> Floats:
    return np.concatenate([rates, np.full(steps - len(rates), rates[-1])])


def _servers(version: SimulatedVersion, at_s: float) -> Counts:
    return np.array([fleet.ready(at_s) for fleet in version.fleets])
