"""The players of a catalog's store for commands that compare scores: their ids, and their features by id."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.cli.features.lookup import look_up
from mesh.errors import Misconfigured, unreadable
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures, SqliteFeatures
from mesh.players.sqlite import open_store, read_some_ids
from mesh.reference.players import Players, SqlitePlayers, named_features
from mesh.reference.values import Value

_MOST_IDS = 100_000
_READ_S = 10.0  # of one player from a table


def players_of(catalog: Catalog) -> Players:
    """Returns the players of the store; raises Misconfigured if it cannot be read."""
    if isinstance(catalog.features, SqliteFeatures):
        return SqlitePlayers(Path(catalog.features.path))
    return _TablePlayers(catalog.features)


def player_ids(catalog: Catalog, count: int, file: Path | None) -> Sequence[str]:
    """Returns at most `count` ids: of the lines of `file`, or spread over the SQLite store; raises Misconfigured."""
    if file is not None:
        found = _lines(file)
        return found[:count]
    if not isinstance(catalog.features, SqliteFeatures):
        problem = f"the players of {catalog.game} are in {catalog.features.store}, which cannot be listed"
        raise Misconfigured([f"{problem}; write some of their ids to a file, one per line, and give --player-ids FILE"])
    with contextlib.closing(open_store(Path(catalog.features.path))) as store:
        found = read_some_ids(store, _MOST_IDS)
    if not found:
        raise Misconfigured([f"{catalog.features.path}: has no players; load some with `mesh features load`"])
    return found[:: max(1, len(found) // count)][:count]


class _TablePlayers:
    """The players of a DynamoDB table."""

    def __init__(self, features: DynamoFeatures) -> None:
        self._features = features
        self.columns: Columns = look_up(features, "-", _READ_S).columns

    def features_of(self, player_id: str) -> dict[str, Value]:
        found = look_up(self._features, player_id, _READ_S)
        return named_features(found.columns, found.player)


def _lines(file: Path) -> list[str]:
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error, "check the file") from error
    ids = [line for line in found if line]
    if not ids:
        raise Misconfigured([f"{file}: has no ids; write one per line"])
    return ids
