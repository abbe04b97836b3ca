"""The simulator's figures for the same load: a steady rate, and a fixed number of replicas of each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autoscaling.capacity_profile import Profile
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import costs_by_model
from autoscaling.cluster.simulation import STEP_S, simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput, model_keys
from autoscaling.cluster.supervisor_costs import supervisor_costs
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.names import model_name, supervisor_name
from mesh.catalog.files import offers_of

STEPS = 4


@dataclass(frozen=True, slots=True)
class SimulatedUse:
    """The CPU at one rate, in cores: of a replica of each model by Deployment, and of the supervisor.

    `cohort` is the mean number of requests in a cohort.
    """

    workers: Mapping[str, float]
    supervisor: float
    cohort: float


def simulated_use(catalog: Catalog, profile: Profile, rate_rps: float, replicas: int, cores: float) -> SimulatedUse:
    """Simulates one supervisor and `replicas` of each model at a steady rate, on `cores` cores."""
    keys = list(model_keys(catalog))
    supervisor = supervisor_name(catalog.game)
    fixed = {supervisor: 1} | {model_name(*key): replicas for key in keys}
    load = Load("steady", np.array([0.0, STEPS * STEP_S]), np.array([rate_rps, rate_rps]))
    settings = Settings(offers=offers_per_request(catalog), cores=cores, fixed=fixed)
    given = SimulationInput([(catalog, load)], costs_by_model(keys, profile), settings, supervisor_costs(profile))
    (result,) = simulate(given)
    used = {one.name: float(one.cores[-1]) / fixed[one.name] for one in result.deployments}
    supervisor_cores = used.pop(supervisor)
    return SimulatedUse(used, supervisor_cores, float(result.cohort[-1]))


def offers_per_request(catalog: Catalog) -> int:
    """The rows of a request: one for each offer, or one if the catalog has no offers."""
    return 1 if catalog.offers is None else len(offers_of(catalog.offers).ids)
