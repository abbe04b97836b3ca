"""Reads the decisions that the options choose, part by part."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.cli.decisions.time_range import time_range
from mesh.decisions.log import Log, is_catalog
from mesh.reference.logged.requests import COLUMNS

BATCH = 4096  # decisions that are in memory at a time


def choose(log: Log, game: str, arguments: argparse.Namespace) -> duckdb.DuckDBPyRelation:
    """Returns the decisions that the options choose, with the columns of `COLUMNS`."""
    since, until = time_range(arguments)
    found = log.decisions(game, since, until, COLUMNS)
    if arguments.sample < 100:
        found = found.filter(f"hash(decision_id) % 1000000 < {arguments.sample * 10_000}")
    return found if arguments.limit is None else found.limit(arguments.limit)


def given_catalogs(arguments: argparse.Namespace) -> list[tuple[Path, Catalog]]:
    """Returns the catalogs of `--catalog`, then the catalog that names the log, if one does. Raises Misconfigured."""
    files = [*arguments.catalog, *([Path(arguments.log)] if is_catalog(arguments.log) else [])]
    return [(file, catalogs.load(file)) for file in files]


def tables(log: Log, chosen: duckdb.DuckDBPyRelation, progress: Callable[[float], None]) -> Iterator[pa.Table]:
    """Yields the chosen decisions in parts, and reports the share that is done."""
    with log.reading():
        ((total,),) = chosen.count("*").fetchall()
        reader = chosen.to_arrow_reader(BATCH)
    done = 0
    while True:
        with log.reading():
            batch = next(reader, None)
        if batch is None:
            return
        yield pa.Table.from_batches([batch])
        done += batch.num_rows
        progress(done / total)
