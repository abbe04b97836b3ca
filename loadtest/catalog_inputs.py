"""The inputs that a catalog knows: the players of its store, its offers, and the values that its models have seen."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from loadtest.errors import CannotMeasure
from loadtest.game_inputs import Chosen, ContextValue
from loadtest.generators.popularity import MAX_PLAYERS
from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.players.settings import SqliteFeatures
from mesh.players.sqlite import open_store
from mesh.reference.context_values import context_values


class Known(NamedTuple):
    """The inputs of a catalog. `players` is None if they were not read; `offers` is None for a game without offers."""

    game: str
    players: Sequence[str] | None
    drawn: Mapping[str, Sequence[ContextValue]]
    offers: Sequence[str] | None


def read_catalog(chosen: Chosen) -> Known:
    """Reads the catalog; reads the store only if no file of player ids is given."""
    assert chosen.catalog is not None
    catalog = catalogs.load(chosen.catalog)
    players = None if chosen.player_ids is not None else stored_players(catalog, chosen.players or MAX_PLAYERS)
    offers = catalog_files.offers_of(catalog.offers).ids if catalog.offers else None
    return Known(catalog.game, players, context_values(catalog), offers)


def stored_players(catalog: Catalog, limit: int) -> list[str]:
    """At most `limit` players of the SQLite store, ordered by id; raises CannotMeasure for another store."""
    features = catalog.features
    if not isinstance(features, SqliteFeatures):
        reason = f"the players of {catalog.game} are in {features.store}, which cannot be listed"
        raise CannotMeasure(f"--catalog: {reason}; write some of their ids to a file and set --player-ids FILE")
    with contextlib.closing(open_store(Path(features.path))) as store:
        found = [row[0] for row in store.execute("SELECT player_id FROM players ORDER BY player_id LIMIT ?", (limit,))]
    if not found:
        raise CannotMeasure(f"--catalog: {features.path} has no players; load some with `mesh features load`")
    return found
