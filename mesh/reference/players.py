"""The features of players for the reference scores, read by id."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Protocol

from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import open_store, read_columns, read_players
from mesh.reference.values import Value


class Players(Protocol):
    """Port of `Oracle`: the store of players."""

    @property
    def columns(self) -> Columns:
        """The columns of the store."""
        ...

    def features_of(self, player_id: str) -> dict[str, Value]:
        """Returns the features of a player by name; none for a player who is not in the store."""
        ...


class SqlitePlayers:
    """The players of the SQLite store at `path`. Raises Misconfigured if it is not a store."""

    def __init__(self, path: Path) -> None:
        self._store = open_store(path)
        self.columns = read_columns(self._store)

    def features_of(self, player_id: str) -> dict[str, Value]:
        """Returns the features of a player by name; none for a player who is not in the store."""
        return named_features(self.columns, read_players(self._store, json.dumps([player_id])).get(player_id))


def named_features(columns: Columns, player: PlayerFeatures | None) -> dict[str, Value]:
    """Returns the features of `player` by name."""
    if player is None:
        return {}
    numbers = struct.unpack(f"<{len(columns.numbers)}d", player.numbers)
    return dict(zip((*columns.numbers, *columns.texts), (*numbers, *player.texts), strict=True))
