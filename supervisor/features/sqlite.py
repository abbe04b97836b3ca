"""The feature store of one machine: a SQLite file, read on its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mesh.errors import Expired, Misconfigured, Unavailable
from mesh.players.features import Columns
from mesh.players.sqlite import open_store, read_columns, read_players
from supervisor.features.port import StoreRead


class SqliteStore:
    """Reads the file that `mesh features load` writes; the next read opens a file that replaced it.

    The constructor raises Misconfigured if the file is not a player store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_store(path)
        self._columns = read_columns(self._connection)
        self._identity = _identity(path)
        self._running: str | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite")

    @property
    def columns(self) -> Columns:
        """The columns of the last read."""
        return self._columns

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> StoreRead:
        """Reads `player_ids` in one query; raises Expired or Unavailable."""
        ids = json.dumps(player_ids)
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._read, ids)
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except TimeoutError:
            if self._running is ids:  # the identity of the text marks this read; an equal text may be of another read
                with contextlib.suppress(sqlite3.Error):  # closed in the meantime, because another file replaced it
                    self._connection.interrupt()
            raise Expired(f"the store did not answer within {timeout_s * 1000:.0f} ms") from None
        except (sqlite3.Error, OSError, Misconfigured) as error:
            raise Unavailable(f"the store cannot be read: {error}") from error

    async def close(self) -> None:
        """Ends the thread and closes the file."""
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    def _read(self, ids_json: str) -> StoreRead:
        self._running = ids_json
        if _identity(self._path) != self._identity:
            self._reopen()
        return StoreRead(self._columns, read_players(self._connection, ids_json))

    def _reopen(self) -> None:
        identity = _identity(self._path)
        connection = open_store(self._path)
        self._connection.close()
        self._connection, self._columns, self._identity = connection, read_columns(connection), identity


def _identity(path: Path) -> tuple[int, int]:
    state = os.stat(path)  # noqa: PTH116 (on the hot path: Path.stat costs twice as much)
    return state.st_ino, state.st_mtime_ns
