"""The simulation: load comes, models answer, metrics lag, controllers decide, pods start; 15 s a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from autoscaling.cluster.controller import SYNC_S, Controlled, controlled
from autoscaling.cluster.ensemble import Step
from autoscaling.cluster.games import GameWorld, Place, Settings, VersionWorld, game_world, place_pods
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelCosts
from autoscaling.cluster.pods import SCRAPE_S, Fleet
from autoscaling.cluster.queueing_model import Counts, Floats
from autoscaling.cluster.result_recorder import Recording
from autoscaling.cluster.results import GameResult, Rescale
from autoscaling.cluster.supervisor_costs import Supervision, supervise
from autoscaling.engine.reconciliation import Decision
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler

STEP_S = 15.0
BEGIN_ROUNDS = 3

Watch = Callable[[Controlled, Decision], None]
Progress = Callable[[float], None]


def simulate(
    games: Sequence[tuple[Catalog, Load]],
    costs: Mapping[Place, ModelCosts],
    settings: Settings,
    watch: Watch = lambda _controlled, _decision: None,
    progress: Progress = lambda _share: None,
    until_s: float = math.inf,
) -> list[GameResult]:
    """What happens to each game under its load, as long as the longest of them; the same input, the same output.

    `watch` hears of every decision, `progress` of the share that is done; nothing is simulated after `until_s`.
    """
    return _Simulation(games, costs, settings, watch).run(progress, until_s)


class _Simulation:
    """All games on the same nodes."""

    def __init__(
        self,
        games: Sequence[tuple[Catalog, Load]],
        costs: Mapping[Place, ModelCosts],
        settings: Settings,
        watch: Watch,
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._rng = np.random.default_rng(settings.seed)
        self._games = [game_world(catalog, load, costs, settings, self._rng) for catalog, load in games]
        self._steps = max(len(load.means(STEP_S)) for _, load in games)
        self._rps = [_padded(load.means(STEP_S), self._steps) for _, load in games]
        self._fleets = [fleet for game in self._games for fleet in game.fleets]
        self._in_flight: dict[str, float] = {}
        self._unplaced = False
        self._controlled = [
            [self._control(*one) for one in zip(game.fleets, game.scalers, strict=True)] for game in self._games
        ]
        self._turns = sorted((one for game in self._controlled for one in game), key=lambda one: one.first_s)
        self._recordings = [
            Recording(*one, self._steps, STEP_S) for one in zip(self._games, self._controlled, strict=True)
        ]
        tracks = (track for recording in self._recordings for track in recording.result.tracks)
        self._rescaled = {track.name: track.rescales for track in tracks}

    def run(self, progress: Progress, until_s: float) -> list[GameResult]:
        """Step by step to the end."""
        for number, game in enumerate(self._games):
            self._begin(game, self._controlled[number], float(self._rps[number][0]))
        for step in range(min(self._steps, math.ceil(min(until_s, 1e9) / STEP_S) + 1)):
            for number, game in enumerate(self._games):
                self._serve(game, step, float(self._rps[number][step]), self._recordings[number])
            self._decide(step)
            if step % 50 == 0:
                progress(step / self._steps)
        return [recording.result for recording in self._recordings]

    def _control(self, fleet: Fleet, scaler: Autoscaler) -> Controlled:
        """The HPA of one fleet; each ticks at a moment of its own."""
        first_s, scrape_s = (float(moment) for moment in self._rng.random(2) * SYNC_S)
        return controlled(fleet, scaler, first_s, scrape_s - SCRAPE_S, lambda: self._in_flight.get(fleet.name, 0.0))

    def _begin(self, game: GameWorld, controlled: Sequence[Controlled], rps: float) -> None:
        """As many replicas as the load at the beginning wants, ready; else every simulation began with a rush."""
        for one in controlled:
            one.fleet.begin(self._settings.fixed.get(one.fleet.name, one.hpa.min_replicas))
        for _ in range(BEGIN_ROUNDS):
            for one, used in zip(controlled, self._used(game, rps, -STEP_S), strict=True):
                if one.fleet.name not in self._settings.fixed:
                    one.fleet.begin(one.wanted(used))

    def _used(self, game: GameWorld, rps: float, at_s: float) -> Iterator[float]:
        """Cores that each fleet of `game` uses at `rps`, all pods of a fleet together."""
        supervision, steps = self._answer(game, rps, at_s)
        yield supervision.cores * max(1, game.supervisors.ready(at_s))
        for step in steps:
            yield from step.cores.tolist()

    def _answer(self, game: GameWorld, rps: float, at_s: float) -> tuple[Supervision, list[Step]]:
        supervision = supervise(rps, game.supervisors.ready(at_s), max(len(one.fleets) for one in game.versions))
        budget_s = (game.catalog.budget_ms - game.catalog.reserve_ms) / 1000
        admitted = rps * (1 - supervision.shed)
        steps = [
            one.queues.step(admitted * one.share, _servers(one, at_s), budget_s, supervision.before_s, STEP_S)
            for one in game.versions
        ]
        return supervision, steps

    def _serve(self, game: GameWorld, step: int, rps: float, recording: Recording) -> None:
        middle_s = (step + 0.5) * STEP_S
        for fleet in game.fleets:
            fleet.advance(middle_s)
        supervision, steps = self._answer(game, rps, middle_s)
        game.supervisors.used(supervision.cores)
        for version, served in zip(game.versions, steps, strict=True):
            for number, fleet in enumerate(version.fleets):
                fleet.used(float(served.cores[number]) / max(1, fleet.ready(middle_s)))
                self._in_flight[fleet.name] = float(served.in_flight[number])
        recording.take(step, rps, supervision, steps, middle_s)

    def _decide(self, step: int) -> None:
        """Every HPA ticks once in the step, at its own moment."""
        for one in self._turns:
            now_s = step * STEP_S + one.first_s
            if one.fleet.name in self._settings.fixed:
                one.fleet.advance(now_s)
                continue
            up = not any(began_s <= now_s < ended_s for began_s, ended_s in self._settings.api_down)
            decision = one.decide(now_s, up)
            if decision.rescaled:
                change = Rescale(now_s, one.fleet.replicas, decision.replicas, decision.reasoning)
                self._rescaled[one.fleet.name].append(change)
                one.fleet.scale(decision.replicas, now_s)
                self._unplaced = True
            self._watch(one, decision)
            if self._unplaced:
                self._unplaced = place_pods(self._fleets, self._settings.cores, now_s, self._rng)


def _padded(rates: Floats, steps: int) -> Floats:
    return np.concatenate([rates, np.full(steps - len(rates), rates[-1])])


def _servers(version: VersionWorld, at_s: float) -> Counts:
    return np.array([fleet.ready(at_s) for fleet in version.fleets])
