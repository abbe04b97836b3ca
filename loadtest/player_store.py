"""The player store of a catalog, for load tests that read it directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from loadtest.errors import CannotMeasure
from loadtest.run.job import Question
from loadtest.workloads import Method
from mesh.catalog.catalog import Catalog
from mesh.players.settings import SqliteFeatures
from mesh.players.sqlite import open_store, read_some_ids

MAX_PLAYERS = 10_000
DEADLINE_MS = 1000.0


def sqlite_path(catalog: Catalog) -> Path:
    """The path of the SQLite store; raises CannotMeasure if the catalog has another store."""
    if not isinstance(catalog.features, SqliteFeatures):
        raise CannotMeasure(
            f"{catalog.game}: features.store is {catalog.features.store}, but this command reads sqlite only"
        )
    return Path(catalog.features.path)


def question_of(catalog: Catalog, version: str, context: Mapping[str, float | bool | str]) -> Question:
    """A request to any address for offers, or for a score if the catalog has no offers, for players of the store."""
    path = sqlite_path(catalog)
    players = read_some_ids(open_store(path), MAX_PLAYERS)
    if not players:
        raise CannotMeasure(f"{path}: the store has no players; fill it with `mesh features load`")
    method: Method = "Score" if catalog.offers is None else "GetOffer"
    return Question("", method, catalog.game, version, DEADLINE_MS, context, players)
