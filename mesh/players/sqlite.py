"""The SQLite store of player features: its tables, reading and replacing it."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from mesh.errors import Misconfigured
from mesh.players.features import Columns, PlayerFeatures, pack_texts, unpack_texts

_TABLES = """
CREATE TABLE columns (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL);
CREATE TABLE players (
    player_id TEXT PRIMARY KEY, numbers BLOB NOT NULL, texts TEXT NOT NULL, written_at REAL NOT NULL
) WITHOUT ROWID;
"""
_READ = "SELECT player_id, numbers, texts, written_at FROM players WHERE player_id IN (SELECT value FROM json_each(?))"


def open_store(path: Path) -> sqlite3.Connection:
    """Opens the store at `path` read-only, for one thread at a time; raises Misconfigured if it is not a store."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
        )
        connection.execute("SELECT 1 FROM players, columns LIMIT 1")
    except sqlite3.Error as error:
        problem = f"{path}: is not a player store: {error}"
        raise Misconfigured([f"{problem}; create one with `mesh features load FILE --catalog CATALOG`"]) from error
    return connection


def read_columns(connection: sqlite3.Connection) -> Columns:
    """Reads the columns of the store."""
    rows = connection.execute("SELECT name, kind FROM columns ORDER BY position").fetchall()
    return Columns(
        tuple(name for name, kind in rows if kind == "number"),
        tuple(name for name, kind in rows if kind == "text"),
    )


def read_players(connection: sqlite3.Connection, ids_json: str) -> dict[str, PlayerFeatures]:
    """Reads the players in a JSON list of IDs with one query; unknown players are absent."""
    return {
        player: PlayerFeatures(numbers, unpack_texts(texts), written_at)
        for player, numbers, texts, written_at in connection.execute(_READ, (ids_json,))
    }


def read_some_players(connection: sqlite3.Connection, limit: int) -> list[PlayerFeatures]:
    """Reads at most `limit` arbitrary players."""
    query = "SELECT numbers, texts, written_at FROM players LIMIT ?"
    return [
        PlayerFeatures(numbers, unpack_texts(texts), written_at)
        for numbers, texts, written_at in connection.execute(query, (limit,))
    ]


def read_some_ids(connection: sqlite3.Connection, limit: int) -> list[str]:
    """Reads the ids of at most `limit` arbitrary players."""
    return [player for (player,) in connection.execute("SELECT player_id FROM players LIMIT ?", (limit,))]


@contextlib.contextmanager
def replacing_store(path: Path, columns: Columns) -> Iterator[sqlite3.Connection]:
    """Yields a new store, which replaces `path` when the block succeeds; readers never see a part of it."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.loading")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        named = [(name, "number") for name in columns.numbers] + [(name, "text") for name in columns.texts]
        connection.executemany("INSERT INTO columns (name, kind) VALUES (?, ?)", named)
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
        connection.close()
        fresh.replace(path)
    finally:
        connection.close()
        fresh.unlink(missing_ok=True)


def write_players(connection: sqlite3.Connection, players: Iterable[tuple[str, PlayerFeatures]]) -> None:
    """Writes players; replaces existing ones."""
    connection.executemany(
        "INSERT OR REPLACE INTO players VALUES (?, ?, ?, ?)",
        ((player, row.numbers, pack_texts(row.texts), row.written_at_s) for player, row in players),
    )
