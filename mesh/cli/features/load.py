"""`mesh features load`: loads a file of players into the store that a catalog names."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.cli.main import DONE
from mesh.errors import Misconfigured
from mesh.players.loading.file import PlayerFile, open_file
from mesh.players.loading.sqlite import load_store
from mesh.players.loading.survey import FileSchema, survey
from mesh.players.settings import Features, SqliteFeatures


def load(arguments: argparse.Namespace) -> int:
    """Loads the file. SQLite takes all rows or none; DynamoDB takes them row by row."""
    features = catalogs.load(arguments.catalog).features
    source = open_file(arguments.file)
    started_s = time.monotonic()
    with _progress() as progress:
        reading = progress.add_task("reading", total=source.rows)
        schema = survey(source, frozenset(arguments.text), lambda rows: progress.advance(reading, rows))
        if not arguments.force:
            _check_columns(arguments.catalog, schema)
        progress.update(reading, total=schema.rows)
        writing = progress.add_task("writing", total=schema.rows)
        skipped = _write(source, schema, features, arguments, lambda rows: progress.advance(writing, rows))
    _report(arguments.json, _name(features), schema, skipped, time.monotonic() - started_s)
    return DONE


def _check_columns(catalog: Path, schema: FileSchema) -> None:
    """Raises Misconfigured if a store with these columns cannot serve the game's models."""
    faults = [str(fault) for fault in catalog_files.column_faults(catalogs.read(catalog), schema.columns)]
    if faults:
        raise Misconfigured([*faults, "the store was not changed; add the columns, or use --force to load anyway"])


def _write(
    source: PlayerFile,
    schema: FileSchema,
    features: Features,
    arguments: argparse.Namespace,
    on_rows: Callable[[int], object],
) -> int:
    """Writes all players; returns how many of them an interrupted load had already written."""
    if isinstance(features, SqliteFeatures):
        load_store(source, schema, Path(features.path), on_rows)
        return 0
    from mesh.players.loading.dynamodb import LoadOptions, load_table  # imports aiobotocore, which SQLite does not need

    options = LoadOptions(arguments.create, arguments.force, arguments.from_start)
    return load_table(source, schema, features, options, on_rows)


def _name(features: Features) -> str:
    return features.path if isinstance(features, SqliteFeatures) else f"dynamodb:{features.table}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _report(as_json: bool, store: str, schema: FileSchema, skipped: int, seconds: float) -> None:
    numbers, texts = len(schema.columns.numbers), len(schema.columns.texts)
    if as_json:
        counts = {"players": schema.rows, "skipped": skipped, "numbers": numbers, "texts": texts}
        print(json.dumps({"event": "loaded", "store": store, **counts, "seconds": round(seconds, 3)}))
    else:
        loaded = f"{schema.rows:,} players with {numbers} numbers and {texts} texts each"
        before = f" ({skipped:,} of them by an earlier load that was interrupted)" if skipped else ""
        print(f"{store}: {loaded}{before}, in {seconds:.1f} s")
