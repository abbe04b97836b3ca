"""Players into a SQLite store: all of the file or nothing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from mesh.errors import Misconfigured
from mesh.players.loading.file import PlayerFile
from mesh.players.loading.packing import pack
from mesh.players.loading.survey import Layout, duplicates
from mesh.players.sqlite import replacing_store, write_players

# Ids come in any order; with SQLite's own 2 MiB most rows would be written to the file and read again.
_CACHE_KIB = 64 * 1024


def load_store(source: PlayerFile, layout: Layout, store: Path, on_rows: Callable[[int], object]) -> None:
    """Writes all players; the old store stays as it is until the last one. Raises Misconfigured for duplicates."""
    now_s = time.time()
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        with replacing_store(store, layout.columns) as connection:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            for batch in source.batches():
                write_players(connection, pack(batch, layout, now_s))
                on_rows(batch.num_rows)
            (players,) = connection.execute("SELECT COUNT(*) FROM players").fetchone()
            if players != layout.rows:
                raise Misconfigured(duplicates(source))
    except (sqlite3.Error, OSError) as error:
        problem = f"{store}: cannot be written: {error}"
        raise Misconfigured([f"{problem}; check the folder, its permissions and its free space"]) from error
