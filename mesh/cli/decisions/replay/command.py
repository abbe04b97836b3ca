"""`mesh decisions replay`: compares the logged decisions with a replay by LightGBM; exit code 1 if one differs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections import Counter
from pathlib import Path

import duckdb

from mesh.cli.console import stdout
from mesh.cli.decisions.replay import other_version
from mesh.cli.decisions.replay.output import print_result
from mesh.cli.decisions.replay.reading import choose, given_catalogs, tables
from mesh.cli.hpa.progress import shown
from mesh.cli.main import DONE, FAILED
from mesh.decisions.log import Log, open_log
from mesh.decisions.side_files import Ensemble, SideFiles
from mesh.errors import Misconfigured
from mesh.reference.logged.replay import Replay, ReplayResult
from mesh.reference.model_search import find_models


def run(arguments: argparse.Namespace) -> int:
    """Prints the result; returns FAILED after a difference, or if nothing was compared.

    Raises Misconfigured, NotFound and Unavailable.
    """
    if arguments.version is None and arguments.html is not None:
        raise Misconfigured(["--html: has plots of another version; give --version, or omit it"])
    with open_log(arguments.log) as log, tempfile.TemporaryDirectory(prefix="mesh-replay-") as downloads:
        game = log.game(arguments.game)
        if arguments.version is not None:
            return other_version.run(log, game, arguments, Path(downloads))
        return _replay(log, game, arguments, Path(downloads))


def _replay(log: Log, game: str, arguments: argparse.Namespace, downloads: Path) -> int:
    files = SideFiles(log, game)
    chosen = choose(log, game, arguments)
    ensembles = _ensembles_of(log, files, chosen)
    known = [catalog for _, catalog in given_catalogs(arguments)]
    models = [model for ensemble in ensembles for model in ensemble.models]
    replay = Replay(files, find_models(models, known, arguments.models, downloads))
    with shown("replaying") as progress:
        for table in tables(log, chosen, progress):
            replay.add(table)
    _print(replay.result, as_json=arguments.json)
    compared_all_equal = replay.result.replayed > 0 and not replay.result.different
    return DONE if compared_all_equal else FAILED


def _ensembles_of(log: Log, files: SideFiles, chosen: duckdb.DuckDBPyRelation) -> list[Ensemble]:
    """Returns the ensembles that made the scores of the chosen decisions."""
    named = log.read(chosen.filter("ensemble IS NOT NULL AND rows IS NOT NULL").select("ensemble").distinct())
    return [files.ensemble(name) for name in sorted(named["ensemble"].to_pylist())]


def _print(result: ReplayResult, *, as_json: bool) -> None:
    if not as_json:
        print_result(stdout(), result)
        return
    counts = dict(result.skipped)  # asdict takes the pairs of a Counter for its elements
    plain = {**dataclasses.asdict(dataclasses.replace(result, skipped=Counter())), "skipped": counts}
    if result.first is not None:
        plain["first"]["time"] = result.first.time.isoformat()
    stdout().out(json.dumps(plain), highlight=False)
