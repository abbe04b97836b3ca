"""The simulated Deployments of each game: supervisors, and the models of each version with their queues."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autoscaling.cluster import supervisor_costs
from autoscaling.cluster.ensemble import Ensemble
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelCosts, ModelKey
from autoscaling.cluster.pods import Fleet, StartTimes
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from autoscaling.cluster.supervisor_costs import SupervisorCosts
from mesh.catalog import quantities
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.blocks import Resources, SupervisorDeployment, WorkerDeployment
from mesh.catalog.deployment.names import model_name, supervisor_name
from mesh.catalog.deployment.overlay import overlay
from mesh.catalog.shifts import shares_at


@dataclass(slots=True)
class SimulatedVersion:
    """One version: its share of the game's requests, the fleets of its models, and their queues."""

    name: str
    share: float
    fleets: list[Fleet]
    queues: Ensemble


@dataclass(slots=True)
class SimulatedGame:
    """One game and its load. `fleets` and `scalers` have the supervisors first, then every model."""

    catalog: Catalog
    load: Load
    supervisor_costs: SupervisorCosts
    supervisors: Fleet
    versions: list[SimulatedVersion]
    scalers: list[Autoscaler]
    fleets: list[Fleet]


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
    versions = [_version(catalog, name, given.costs, settings, rng) for name in catalog.versions]
    name, memory_mb = supervisor_name(catalog.game), supervisor_costs.MEMORY_MB
    supervisors = _fleet(name, "supervisor", supervisor.resources, memory_mb, starts)
    fleets = [supervisors, *(fleet for version in versions for fleet in version.fleets)]
    return SimulatedGame(
        catalog, load, given.supervisor_costs, supervisors, versions, list(autoscalers(catalog)), fleets
    )


def _version(
    catalog: Catalog, name: str, costs: Mapping[ModelKey, ModelCosts], settings: Settings, rng: np.random.Generator
) -> SimulatedVersion:
    version = catalog.versions[name]
    share = shares_at(catalog.versions, math.inf)[name]  # of a rollout, its last step
    fleets, model_costs, cpu_limits = [], [], []
    for model in version.models:
        scaled = overlay(WorkerDeployment, catalog, version, model)
        cost = costs[catalog.game, name, model.name]
        starts = StartTimes(settings.schedule_s, settings.image_s, cost.start_s, cost.start_cpu_s, settings.spread)
        fleets.append(
            _fleet(model_name(catalog.game, name, model.name), "worker", scaled.resources, cost.memory_mb, starts)
        )
        limit = scaled.resources.cpu_limit
        model_costs.append(cost)
        cpu_limits.append(math.inf if limit is None else _cores(limit))
    queues = Ensemble(model_costs, version.quorum, settings.offers, np.array(cpu_limits), settings.late_after_s, rng)
    return SimulatedVersion(name, share / 100, fleets, queues)


def _fleet(name: str, container: str, resources: Resources, memory_mb: float, starts: StartTimes) -> Fleet:
    return Fleet(name, container, _cores(resources.cpu), math.ceil(memory_mb * 2**20 * 1000), starts)


def _cores(quantity: str) -> float:
    return quantities.milli(quantity) / 1000
