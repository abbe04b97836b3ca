"""`mesh decisions replay`: compares the logged decisions with a replay by LightGBM; exit code 1 if one differs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.catalog import catalog as catalogs
from mesh.cli.console import stdout
from mesh.cli.decisions.replay.output import print_result
from mesh.cli.decisions.time_range import time_range
from mesh.cli.hpa.progress import shown
from mesh.cli.main import DONE, FAILED
from mesh.decisions.log import Log, open_log
from mesh.decisions.side_files import Ensemble, SideFiles
from mesh.reference.logged.replay import Replay, ReplayResult
from mesh.reference.logged.requests import COLUMNS
from mesh.reference.model_search import find_models

BATCH = 4096  # decisions that are in memory at a time


def run(arguments: argparse.Namespace) -> int:
    """Prints the result; returns FAILED after a difference. Raises Misconfigured, NotFound and Unavailable."""
    with open_log(arguments.log) as log, tempfile.TemporaryDirectory(prefix="mesh-replay-") as downloads:
        game = log.game(arguments.game)
        files = SideFiles(log, game)
        chosen = choose(log, game, arguments)
        ensembles = ensembles_of(log, files, chosen)
        known = [catalogs.load(file) for file in arguments.catalog]
        models = [model for ensemble in ensembles for model in ensemble.models]
        replay = Replay(files, find_models(models, known, arguments.models, Path(downloads)))
        with shown("replaying") as progress:
            for table in tables(log, chosen, progress):
                replay.add(table)
    _print(replay.result, as_json=arguments.json)
    return FAILED if replay.result.different else DONE


def choose(log: Log, game: str, arguments: argparse.Namespace) -> duckdb.DuckDBPyRelation:
    """Returns the decisions that the options choose, with the columns of `COLUMNS`."""
    since, until = time_range(arguments)
    found = log.decisions(game, since, until, COLUMNS)
    if arguments.sample < 100:
        found = found.filter(f"hash(decision_id) % 1000000 < {arguments.sample * 10_000}")
    return found if arguments.limit is None else found.limit(arguments.limit)


def ensembles_of(log: Log, files: SideFiles, chosen: duckdb.DuckDBPyRelation) -> list[Ensemble]:
    """Returns the ensembles that made the scores of the chosen decisions."""
    named = log.read(chosen.filter("ensemble IS NOT NULL AND rows IS NOT NULL").select("ensemble").distinct())
    return [files.ensemble(name) for name in sorted(named["ensemble"].to_pylist())]


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


def _print(result: ReplayResult, *, as_json: bool) -> None:
    if not as_json:
        print_result(stdout(), result)
        return
    plain = dataclasses.asdict(result)
    if result.first is not None:
        plain["first"]["time"] = result.first.time.isoformat()
    stdout().out(json.dumps(plain), highlight=False)
