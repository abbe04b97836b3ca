"""`mesh features load`: loads a file of players into the store that a catalog names."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Draft
from mesh.catalog.value_check import FIX, KnownValues
from mesh.cli.main import DONE
from mesh.cli.row_progress import row_progress
from mesh.errors import Misconfigured
from mesh.players.loading.file import PLAYER_ID, UPDATED_AT, CsvFile, PlayerFile, open_file
from mesh.players.loading.sqlite import load_store
from mesh.players.loading.survey import FileSchema, survey
from mesh.players.loading.value_counts import ValueCounts
from mesh.players.settings import Features, SqliteFeatures


def load(arguments: argparse.Namespace) -> int:
    """Loads the file. SQLite takes all rows or none; DynamoDB takes them row by row."""
    features = catalogs.load(arguments.catalog).features
    source = open_file(arguments.file)
    started_s = time.monotonic()
    with row_progress() as progress:
        reading = progress.add_task("reading", total=source.rows)
        draft = catalogs.read(arguments.catalog)
        known, as_text = KnownValues(draft), frozenset(arguments.text)
        counts = ValueCounts(known.features.difference((PLAYER_ID, UPDATED_AT)), as_text)
        schema = survey(source, as_text, lambda rows: progress.advance(reading, rows), counts)
        schema = replace(schema, empty_texts=frozenset(arguments.empty_text))
        if not arguments.force:
            _check_columns(
                draft, schema, [*_unknown_texts(source, schema), *_open_cells(source, schema, known, counts)]
            )
        progress.update(reading, total=schema.rows)
        writing = progress.add_task("writing", total=schema.rows)
        skipped = _write(source, schema, features, arguments, lambda rows: progress.advance(writing, rows))
    unseen = known.unseen_in_store(schema.columns, counts.of(schema.kinds))
    _report(arguments.json, _name(features), schema, skipped, time.monotonic() - started_s, unseen)
    return DONE


def _check_columns(draft: Draft, schema: FileSchema, faults: list[str]) -> None:
    """Raises Misconfigured for `faults`, and if a store with these columns cannot serve the game's models."""
    faults = [*faults, *catalog_files.column_faults(draft, schema.columns)]
    if faults:
        raise Misconfigured([*faults, "the store was not changed; add the columns, or use --force to load anyway"])


def _unknown_texts(source: PlayerFile, schema: FileSchema) -> Iterator[str]:
    for name in sorted(schema.empty_texts):
        if schema.kinds.get(name) != "text":
            yield f"{source.path}: has no text column {name!r}; correct --empty-text"


def _open_cells(source: PlayerFile, schema: FileSchema, known: KnownValues, counts: ValueCounts) -> Iterator[str]:
    """Yields the empty cells of a CSV file that may be missing or the empty text, which a model has as a category."""
    values = [(name, one) for version in known.of_store(schema.columns).values() for name, one in version.items()]
    for name in sorted({name for name, one in values if "" in one} - schema.empty_texts):
        row = None if counts.has_empty_text(name) else counts.first_missing(name)
        if isinstance(source, CsvFile) and schema.kinds.get(name) == "text" and row is not None:
            problem = f"column {name!r} is empty, and the models have the empty text as a category"
            fix = f"use --empty-text {name} if the empty cells are such texts; else store the players as Parquet"
            yield f"{source.place(row)}: {problem}; {fix}"


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


def _report(as_json: bool, store: str, schema: FileSchema, skipped: int, seconds: float, unseen: Sequence[str]) -> None:
    for problem in unseen:
        print(f"warning: {problem}; {FIX}", file=sys.stderr)
    numbers, texts = len(schema.columns.numbers), len(schema.columns.texts)
    if as_json:
        counts = {"players": schema.rows, "skipped": skipped, "numbers": numbers, "texts": texts}
        warnings = {"warnings": list(unseen)} if unseen else {}
        print(json.dumps({"event": "loaded", "store": store, **counts, "seconds": round(seconds, 3), **warnings}))
    else:
        loaded = f"{schema.rows:,} players with {numbers} numbers and {texts} texts each"
        before = f" ({skipped:,} of them by an earlier load that was interrupted)" if skipped else ""
        print(f"{store}: {loaded}{before}, in {seconds:.1f} s")
