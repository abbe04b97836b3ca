"""The panels of a game. A model that did not change keeps its pool from the game before."""

from __future__ import annotations

from collections.abc import Callable

from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model, Version
from supervisor.game import Game
from supervisor.inputs import VersionInputs
from supervisor.panel import Panel
from supervisor.pool import ModelPool
from supervisor.rows import RowPlanner

NewPool = Callable[[Model, int], ModelPool]  # of a model, in a panel of so many models that vote


def panels_of(catalog: Catalog, sources: Sources, new_pool: NewPool, before: Game | None) -> dict[str, Panel]:
    """Returns the panel of each version of `catalog`.

    The pools of models that did not change are those of the game `before`, and so are the checks of inputs: its sources
    must be equal. None: all pools are new.
    """
    pools = {} if before is None else _pools_by_model(before)

    def pool_of(name: str, version: Version, model: Model) -> ModelPool:
        key = _identity(name, model)
        if key not in pools:
            pools[key] = new_pool(model, len(version.voters))
        return pools[key]

    def panel_of(name: str, version: Version) -> Panel:
        kept = before.ensembles.get(name) if before is not None else None
        inputs = kept.panel.inputs if kept is not None else VersionInputs(sources)
        shadows = [model for model in version.models if model.shadow]
        voting, others = (tuple(pool_of(name, version, one) for one in models) for models in (version.voters, shadows))
        return Panel(voting, inputs, others)

    return {name: panel_of(name, version) for name, version in catalog.versions.items()}


def planner_of(game: Game | None) -> RowPlanner | None:
    """Returns the planner of the rows of a game, which a later game with the same sources uses, too."""
    ensembles = game.ensembles.values() if game is not None else ()
    return next((pool.planner for one in ensembles for pool in one.panel.pools), None)


def _pools_by_model(game: Game) -> dict[tuple[object, ...], ModelPool]:
    """The pools of a game by the identity of their models."""
    return {
        _identity(name, pool.model): pool
        for name, ensemble in game.ensembles.items()
        for pool in ensemble.panel.all_pools
    }


def _identity(version: str, model: Model) -> tuple[object, ...]:
    """The parts of a catalog that a pool depends on: versions that name the same member have the same pool."""
    return model.home(version), model.name, model.uri, model.sha256, model.class_, model.categories
