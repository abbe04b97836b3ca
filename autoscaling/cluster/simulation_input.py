"""The input of a simulation: catalogs with their loads, costs of the models, and settings of the cluster."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader
from autoscaling.cluster import supervisor_costs as supervisors
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelCosts, ModelKey, costs_by_model
from autoscaling.cluster.supervisor_costs import SupervisorCosts
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.workers import workers_of


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the simulated cluster.

    `offers` are ranked for each request. `cores` are those of all nodes (infinite: there is always room). A model
    starts in the time of its profile after `schedule_s` and `image_s`; `spread` is the relative spread of these times.
    The metrics APIs fail in the spans [s, s) of `api_down`. A vote is late after `late_after_s`, or after the budget of
    the answer if that is shorter. `fixed` are Deployments with a fixed number of replicas.
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


@dataclass(frozen=True, slots=True)
class SimulationInput:
    """Games that share the nodes, the costs of their models and supervisors, and the settings of the cluster."""

    games: Sequence[tuple[Catalog, Load]]
    costs: Mapping[ModelKey, ModelCosts]
    settings: Settings
    supervisor_costs: SupervisorCosts = supervisors.ASSUMED


def model_keys(catalog: Catalog) -> Iterator[ModelKey]:
    """Yields the key of every model: first the members, then version by version."""
    for workers in workers_of(catalog):
        yield workers.key


def read(files: Sequence[Path], loads: Sequence[str], profile: Path | None, settings: Settings) -> SimulationInput:
    """Reads the catalogs in `files`, their `loads` (values of `--load`), and the profile (None: assumed costs).

    Raises Misconfigured if one of them is wrong.
    """
    found = [catalogs.load(file) for file in files]
    games = list(zip(found, load_reader.read_for_games([one.game for one in found], loads), strict=True))
    measured = None if profile is None else capacity_profile.load(profile)
    files_by_game = {catalog.game: file for catalog, file in zip(found, files, strict=True)}
    keys = [key for catalog in found for key in model_keys(catalog)]
    costs = costs_by_model(keys, measured, files_by_game)
    return SimulationInput(games, costs, settings, supervisors.supervisor_costs(measured))
