"""Small worlds to simulate: catalogs of models whose costs are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaling.cluster import load_reader
from autoscaling.cluster.games import Place, Settings, places
from autoscaling.cluster.model_costs import ASSUMED, ModelCosts
from autoscaling.cluster.results import GameResult, Track
from autoscaling.cluster.simulation import simulate
from mesh.catalog.catalog import Catalog

MODELS = ("whales", "minnows", "pvp")


def catalog(
    models: Mapping[str, Mapping[str, Any]] | Sequence[str] = MODELS, game: str = "g", quorum: int = 2, **more: Any
) -> Catalog:
    """One version of `models`; what is said of each goes to its block."""
    said = models if isinstance(models, Mapping) else {name: {} for name in models}
    blocks = [{"name": name, "uri": "s3://m/m.txt", **block} for name, block in said.items()]
    version = {"models": blocks, "combine": {"quorum": quorum}}
    plain = {"game": game, "features": {"path": "p"}, "versions": {"1": version}, **more}
    return Catalog.model_validate(plain)


def costs_of(found: Catalog, cost: ModelCosts = ASSUMED) -> dict[Place, ModelCosts]:
    """The same for every model."""
    return dict.fromkeys(places(found), cost)


def run(found: Catalog, load: str, settings: Settings = Settings(), cost: ModelCosts = ASSUMED) -> GameResult:  # noqa: B008
    """What becomes of one game."""
    (result,) = simulate([(found, load_reader.read(load))], costs_of(found, cost), settings)
    return result


def track(result: GameResult, name: str) -> Track:
    """A model's, or the supervisor's."""
    (found,) = (one for one in result.tracks if one.name.endswith(f"-{name}"))
    return found
