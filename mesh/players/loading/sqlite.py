"""Loads players into a SQLite store: the whole file or nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from mesh.errors import Misconfigured
from mesh.players.loading.file import PlayerFile
from mesh.players.loading.packing import pack
from mesh.players.loading.survey import FileSchema, duplicates
from mesh.players.sqlite import replacing_store, write_players

# IDs are in any order. With the default of 2 MiB, SQLite would write most rows to the file and read them again.
_CACHE_KIB = 64 * 1024


def load_store(source: PlayerFile, schema: FileSchema, store: Path, on_rows: Callable[[int], object]) -> None:
    """Writes all players, then replaces the old store. Raises Misconfigured for duplicates."""
    now_s = time.time()
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        with replacing_store(store, schema.columns) as connection:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            for batch in source.batches():
                write_players(connection, pack(batch, schema, now_s))
                on_rows(batch.num_rows)
            (players,) = connection.execute("SELECT COUNT(*) FROM players").fetchone()
            if players != schema.rows:
                raise Misconfigured(duplicates(source))
    except (sqlite3.Error, OSError) as error:
        problem = f"{store}: cannot be written: {error}"
        raise Misconfigured([f"{problem}; check the folder, its permissions and its free space"]) from error
