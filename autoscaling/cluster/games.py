"""The simulated Deployments of each game: supervisors, and the models of each version with their queues."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaling.cluster import supervisor_costs
from autoscaling.cluster.ensemble import Ensemble, Step
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelKey
from autoscaling.cluster.pods import Fleet, StartTimes
from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.simulation_input import SimulationInput
from autoscaling.cluster.supervisor_costs import SupervisorCosts
from mesh.catalog import quantities
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.blocks import Resources, SupervisorDeployment
from mesh.catalog.deployment.names import supervisor_name
from mesh.catalog.deployment.overlay import overlay
from mesh.catalog.deployment.workers import Workers, workers_of
from mesh.catalog.shifts import shares_at


@dataclass(slots=True)
class SimulatedVersion:
    """One version: its share of the game's requests, the fleets of its models that vote, and their queues.

    `asked` [models] is the share of the game's requests whose rows each model gets, and `group` the share of all
    versions whose requests travel with those of this one. Both are `share` unless versions share members.
    """

    name: str
    share: float
    fleets: list[Fleet]
    queues: Ensemble
    asked: Floats
    group: float


@dataclass(slots=True)
class SimulatedGame:
    """One game and its load. `fleets` and `scalers` have the supervisors first, then every model.

    `resting` are the fleets of models without a vote in any version, and the CPU of a replica without messages. Shadows
    are among them: the supervisor asks them only while nothing waits, and for at most 2 % of a CPU under load.
    """

    catalog: Catalog
    load: Load
    supervisor_costs: SupervisorCosts
    supervisors: Fleet
    versions: list[SimulatedVersion]
    scalers: list[Autoscaler]
    fleets: list[Fleet]
    resting: list[tuple[Fleet, float]]

    def cores(self, steps: Sequence[Step], at_s: float) -> dict[str, float]:
        """Returns the cores that all pods of each model use at `at_s`, by fleet; `steps` are those of the versions."""
        found = {fleet.name: idle_cores * fleet.ready(at_s) for fleet, idle_cores in self.resting}
        for version, step in zip(self.versions, steps, strict=True):
            names = (fleet.name for fleet in version.fleets)
            found.update(zip(names, step.cores.tolist(), strict=True))  # a member has the same value in each version
        return found


def simulated_game(given: SimulationInput, number: int, rng: np.random.Generator) -> SimulatedGame:
    """Returns game `number` of the input; its fleets have no pods yet."""
    (catalog, load), settings = given.games[number], given.settings
    supervisor = overlay(SupervisorDeployment, catalog.supervisor)
    starts = StartTimes(
        settings.schedule_s,
        settings.image_s,
        supervisor_costs.STARTS.load_s,
        supervisor_costs.STARTS.load_cpu_s,
        settings.spread,
    )
    fleets_of = {one.key: _model_fleet(one, given) for one in workers_of(catalog)}
    voters = _voters(catalog)
    versions = [_version(catalog, name, voters, fleets_of, given, rng) for name in catalog.versions]
    resting = [(fleet, given.costs[key].idle_cores) for key, fleet in fleets_of.items() if key not in voters]
    name, memory_mb = supervisor_name(catalog.game), supervisor_costs.MEMORY_MB
    supervisors = _fleet(name, "supervisor", supervisor.resources, memory_mb, starts)
    fleets = [supervisors, *fleets_of.values()]
    return SimulatedGame(
        catalog, load, given.supervisor_costs, supervisors, versions, list(autoscalers(catalog)), fleets, resting
    )


def _voters(catalog: Catalog) -> dict[ModelKey, list[str]]:
    """The models that vote, and the versions in which they do."""
    found: dict[ModelKey, list[str]] = {}
    for name, version in catalog.versions.items():
        for model in version.voters:
            found.setdefault((catalog.game, model.home(name), model.name), []).append(name)
    return found


def _model_fleet(workers: Workers, given: SimulationInput) -> Fleet:
    settings, cost = given.settings, given.costs[workers.key]
    starts = StartTimes(settings.schedule_s, settings.image_s, cost.start_s, cost.start_cpu_s, settings.spread)
    return _fleet(workers.name, "worker", workers.settings.resources, cost.memory_mb, starts)


def _version(
    catalog: Catalog,
    name: str,
    voters: Mapping[ModelKey, Sequence[str]],
    fleets_of: Mapping[ModelKey, Fleet],
    given: SimulationInput,
    rng: np.random.Generator,
) -> SimulatedVersion:
    version, shares = catalog.versions[name], shares_at(catalog.versions, math.inf)  # of a rollout, its last step
    workers = {one.key: one for one in workers_of(catalog)}
    asked = [key for key, versions in voters.items() if name in versions]
    costs = [given.costs[key] for key in asked]
    limits = [workers[key].settings.resources.cpu_limit for key in asked]
    cpu_limits = np.array([math.inf if limit is None else _cores(limit) for limit in limits])
    settings = given.settings
    queues = Ensemble(costs, version.quorum, settings.offers, cpu_limits, settings.late_after_s, rng)
    shares_asked = np.array([sum(shares[other] for other in voters[key]) for key in asked]) / 100
    group = sum(shares[other] for other in _group(voters.values(), name)) / 100
    fleets = [fleets_of[key] for key in asked]
    return SimulatedVersion(name, shares[name] / 100, fleets, queues, shares_asked, group)


def _group(sharing: Collection[Sequence[str]], version: str) -> set[str]:
    """The versions whose requests travel with those of `version`; `sharing` are the versions of each model."""
    group = {version}
    while more := {other for versions in sharing if group & set(versions) for other in versions} - group:
        group |= more
    return group


def _fleet(name: str, container: str, resources: Resources, memory_mb: float, starts: StartTimes) -> Fleet:
    return Fleet(name, container, _cores(resources.cpu), math.ceil(memory_mb * 2**20 * 1000), starts)


def _cores(quantity: str) -> float:
    return quantities.milli(quantity) / 1000
