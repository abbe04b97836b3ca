"""`mesh features load`: a file of players into the SQLite store that a catalog names, all of it or nothing."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from mesh import catalog as catalogs
from mesh import catalog_files
from mesh.catalog_features import SqliteFeatures
from mesh.cli.player_file import PlayerFile, open_file
from mesh.cli.player_packing import pack
from mesh.cli.player_survey import Layout, duplicates, survey
from mesh.errors import Misconfigured
from mesh.player_store import replacing_store, write_players

OnRows = Callable[[int], None]

# Ids come in any order; with SQLite's own 2 MiB most rows would be written to the file and read again.
_CACHE_KIB = 64 * 1024


def load(arguments: argparse.Namespace) -> int:
    """Loads the file; the old store stays as it is until the last player is written."""
    features = catalogs.load(arguments.catalog).features
    if not isinstance(features, SqliteFeatures):
        problem = f"{arguments.catalog}: features.store: players cannot be loaded into {features.store} yet"
        raise Misconfigured([f"{problem}; write the table by other means"])
    store = Path(features.path)
    source = open_file(arguments.file)
    started_s = time.monotonic()
    with _progress() as progress:
        reading = progress.add_task("reading", total=source.rows)
        layout = survey(source, frozenset(arguments.text), lambda rows: progress.advance(reading, rows))
        if not arguments.force:
            _refuse_what_models_miss(arguments.catalog, layout)
        progress.update(reading, total=layout.rows)
        writing = progress.add_task("writing", total=layout.rows)
        _write(source, layout, store, lambda rows: progress.advance(writing, rows))
    _report(arguments.json, store, layout, time.monotonic() - started_s)
    return 0


def _refuse_what_models_miss(catalog: Path, layout: Layout) -> None:
    """Raises Misconfigured when the game's models could not be served from a store with these columns."""
    faults = [str(fault) for fault in catalog_files.column_faults(catalogs.read(catalog), layout.columns)]
    if faults:
        raise Misconfigured([*faults, "the store stays as it was; add the columns, or --force to load all the same"])


def _write(source: PlayerFile, layout: Layout, store: Path, on_rows: OnRows) -> None:
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


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _report(as_json: bool, store: Path, layout: Layout, seconds: float) -> None:
    numbers, texts = len(layout.columns.numbers), len(layout.columns.texts)
    if as_json:
        counts = {"players": layout.rows, "numbers": numbers, "texts": texts}
        print(json.dumps({"event": "loaded", "store": str(store), **counts, "seconds": round(seconds, 3)}))
    else:
        what = f"{layout.rows:,} players with {numbers} numbers and {texts} texts each"
        print(f"{store}: {what}, in {seconds:.1f} s")
