"""Small games to simulate: catalogs, and models with given costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaling.cluster import load_reader
from autoscaling.cluster.model_costs import ASSUMED, ModelCosts, ModelKey
from autoscaling.cluster.results import DeploymentSeries, GameResult
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput, model_keys
from mesh.catalog.catalog import Catalog

MODELS = ("whales", "minnows", "pvp")


def catalog(
    models: Mapping[str, Mapping[str, Any]] | Sequence[str] = MODELS, game: str = "g", quorum: int = 2, **more: Any
) -> Catalog:
    """Returns a catalog with one version of `models`; a mapping gives more keys of each model."""
    keys = models if isinstance(models, Mapping) else {name: {} for name in models}
    blocks = [{"name": name, "uri": "s3://m/m.txt", **block} for name, block in keys.items()]
    version = {"models": blocks, "combine": {"quorum": quorum}}
    plain = {"game": game, "features": {"path": "p"}, "versions": {"1": version}, **more}
    return Catalog.model_validate(plain)


def costs_of(found: Catalog, cost: ModelCosts = ASSUMED) -> dict[ModelKey, ModelCosts]:
    """Returns the same costs for every model."""
    return dict.fromkeys(model_keys(found), cost)


def run(found: Catalog, load: str, settings: Settings = Settings(), cost: ModelCosts = ASSUMED) -> GameResult:  # noqa: B008
    """Simulates one game."""
    (result,) = simulate(SimulationInput([(found, load_reader.read(load))], costs_of(found, cost), settings))
    return result


def deployment(result: GameResult, name: str) -> DeploymentSeries:
    """Returns the Deployment of a model, or of the supervisors."""
    (found,) = (one for one in result.deployments if one.name.endswith(f"-{name}"))
    return found
