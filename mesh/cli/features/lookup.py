"""Looks up one player in the store of a catalog."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from mesh.players.features import Columns, PlayerFeatures
from mesh.players.settings import Features, SqliteFeatures
from mesh.players.sqlite import open_store, read_columns, read_players


@dataclass(frozen=True, slots=True)
class Lookup:
    """The columns of the store and one player; `player` is None if the store has no such player."""

    columns: Columns
    player: PlayerFeatures | None


def look_up(features: Features, player_id: str, within_s: float) -> Lookup:
    """Reads the player; raises Misconfigured if the store cannot be read. `within_s` limits a DynamoDB store only."""
    if isinstance(features, SqliteFeatures):
        with contextlib.closing(open_store(Path(features.path))) as store:
            return Lookup(read_columns(store), read_players(store, json.dumps([player_id])).get(player_id))
    from mesh.cli.features.table_lookup import look_up_in_table  # imports aiobotocore, which SQLite does not need

    return asyncio.run(look_up_in_table(features, player_id, within_s))
