"""What surrounds the HPAs: the games' Deployments, what they cost, and the nodes that their pods need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from autoscaling.cluster import supervisor_costs
from autoscaling.cluster.ensemble import Ensemble
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelCosts
from autoscaling.cluster.pods import Fleet, Starts
from mesh.catalog import quantities
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.blocks import Resources, Scaled, SupervisorDeployment
from mesh.catalog.deployment.laying import laid_over
from mesh.catalog.deployment.names import model_name, supervisor_name

Place = tuple[str, str, str]  # game, version, model


def places(catalog: Catalog) -> Iterator[Place]:
    """Every model, version by version."""
    for name, version in catalog.versions.items():
        for model in version.models:
            yield catalog.game, name, model.name


@dataclass(frozen=True, slots=True)
class Settings:
    """How the world is: `offers` are ranked for each request; `cores` are the nodes' (infinite: always room).

    A model's start is its profile's on top of `image_s` and `schedule_s`. `api_down` are spans [s, s) in which the
    metrics APIs fail. A vote is counted as late after `late_after_s`, or the answer's budget if that is shorter.
    """

    offers: int = 1
    cores: float = math.inf
    schedule_s: float = 0.5
    image_s: float = 2.0
    spread: float = 0.2
    seed: int = 0
    late_after_s: float = math.inf
    api_down: tuple[tuple[float, float], ...] = ()
    fixed: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class VersionWorld:
    """One version: its share of the game's requests, its models' fleets and their queues."""

    name: str
    share: float
    fleets: list[Fleet]
    queues: Ensemble


@dataclass(slots=True)
class GameWorld:
    """One game and its load. `fleets` and `scalers`: the supervisors', then every model's."""

    catalog: Catalog
    load: Load
    supervisors: Fleet
    versions: list[VersionWorld]
    scalers: list[Autoscaler]
    fleets: list[Fleet]


def game_world(
    catalog: Catalog, load: Load, costs: Mapping[Place, ModelCosts], settings: Settings, rng: np.random.Generator
) -> GameWorld:
    """The world of one game, no pods in it yet."""
    supervisor = laid_over(SupervisorDeployment, catalog.supervisor)
    starts = Starts(
        settings.schedule_s,
        settings.image_s,
        supervisor_costs.STARTS.load_s,
        supervisor_costs.STARTS.load_cpu_s,
        settings.spread,
    )
    versions = [_version(catalog, name, costs, settings, rng) for name in catalog.versions]
    name, memory_mb = supervisor_name(catalog.game), supervisor_costs.MEMORY_MB
    supervisors = _fleet(name, "supervisor", supervisor.resources, memory_mb, starts)
    fleets = [supervisors, *(fleet for version in versions for fleet in version.fleets)]
    return GameWorld(catalog, load, supervisors, versions, list(autoscalers(catalog)), fleets)


def _version(
    catalog: Catalog, name: str, costs: Mapping[Place, ModelCosts], settings: Settings, rng: np.random.Generator
) -> VersionWorld:
    version = catalog.versions[name]
    fleets, ours, limits = [], [], []
    for model in version.models:
        scaled = laid_over(Scaled, catalog, version, model)
        cost = costs[catalog.game, name, model.name]
        starts = Starts(settings.schedule_s, settings.image_s, cost.start_s, cost.start_cpu_s, settings.spread)
        fleets.append(
            _fleet(model_name(catalog.game, name, model.name), "worker", scaled.resources, cost.memory_mb, starts)
        )
        limit = scaled.resources.cpu_limit
        ours.append(cost)
        limits.append(math.inf if limit is None else _cores(limit))
    queues = Ensemble(ours, version.quorum, settings.offers, np.array(limits), settings.late_after_s, rng)
    return VersionWorld(name, version.traffic / 100, fleets, queues)


def _fleet(name: str, container: str, resources: Resources, memory_mb: float, starts: Starts) -> Fleet:
    return Fleet(name, container, _cores(resources.cpu), math.ceil(memory_mb * 2**20 * 1000), starts)


def _cores(quantity: str) -> float:
    return quantities.milli(quantity) / 1000


def place_pods(fleets: Sequence[Fleet], cores: float, now_s: float, rng: np.random.Generator) -> bool:
    """Gives nodes to the pods that wait for one, the oldest first, while there are cores; whether some still wait."""
    free = cores - sum(fleet.requested_cores() for fleet in fleets) if cores < math.inf else math.inf
    waiting = [(pod.created_s, number, pod, fleet) for number, fleet in enumerate(fleets) for pod in fleet.waiting()]
    for _, _, pod, fleet in sorted(waiting, key=lambda one: one[:2]):
        if fleet.request_cores > free:
            return True
        fleet.place(pod, now_s, rng)
        free -= fleet.request_cores
    return False
