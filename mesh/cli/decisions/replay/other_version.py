"""`mesh decisions replay --version W`: what another version would have shown, and what it would have earned."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from mesh import plot_page
from mesh.catalog.catalog import Catalog
from mesh.cli.console import stdout
from mesh.cli.decisions.replay import page
from mesh.cli.decisions.replay.reading import choose, given_catalogs, tables
from mesh.cli.decisions.replay.verdict_tables import print_verdict
from mesh.cli.decisions.time_range import time_range
from mesh.cli.hpa.progress import shown
from mesh.cli.main import DONE
from mesh.decisions.log import Log
from mesh.decisions.side_files import SideFiles
from mesh.errors import Misconfigured
from mesh.players.features import Columns
from mesh.players.settings import SqliteFeatures
from mesh.players.sqlite import open_store, read_columns
from mesh.reference.logged import target as targets
from mesh.reference.logged.rewards import Rewards, purchases, rewards
from mesh.reference.logged.target import Target
from mesh.reference.logged.verdict import Verdict, judge
from mesh.reference.logged.what_if import WhatIf
from mesh.reference.model_search import find_models


def run(log: Log, game: str, arguments: argparse.Namespace, downloads: Path) -> int:
    """Prints the verdict on the version; with `--html` also writes the page. Raises Misconfigured and Unavailable."""
    if arguments.html is not None:
        plot_page.check_output(arguments.html, "--html")
    files = SideFiles(log, game)
    chosen = choose(log, game, arguments)
    target = _target(log, game, files, arguments, downloads)
    what_if = WhatIf(files, target)
    with shown("scoring") as progress:
        for table in tables(log, chosen, progress):
            what_if.add(table)
    _check(what_if, target)
    verdict = judge(arguments.version, what_if.choices, _rewards(log, game, arguments, what_if))
    if arguments.html is not None:
        facts = {"Log": log.name, "Version": target.origin, **plot_page.origin("mesh", sys.argv[1:], datetime.now(UTC))}
        plot_page.write(arguments.html, page.page(game, verdict, facts), "--html")
    if arguments.json:
        stdout().out(json.dumps(_plain(verdict, what_if)), highlight=False)
    else:
        print_verdict(stdout(), verdict, what_if.skipped)
    return DONE


def _target(log: Log, game: str, files: SideFiles, arguments: argparse.Namespace, downloads: Path) -> Target:
    """Returns the version of the first catalog that has it; without `--catalog`, as the log had it last."""
    version, known = arguments.version, given_catalogs(arguments)
    for file, catalog in known:
        if version in catalog.versions:
            return targets.of_catalog(file, catalog, version, _columns(catalog), downloads)
    if arguments.catalog:
        names = ", ".join(f"{file}: {', '.join(catalog.versions)}" for file, catalog in known)
        raise Misconfigured([f"--version {version}: no catalog has this version; known: {names}"])
    ensemble = files.ensemble(_logged_ensemble(log, game, arguments))
    models = find_models(ensemble.models, [catalog for _, catalog in known], arguments.models, downloads)
    return targets.of_log(log.name, files, ensemble, models)


def _logged_ensemble(log: Log, game: str, arguments: argparse.Namespace) -> str:
    decisions = log.decisions(game, *time_range(arguments), ("version", "ensemble", "time"))
    found = log.read(decisions.filter("ensemble IS NOT NULL").aggregate("version, arg_max(ensemble, time) AS ensemble"))
    latest = {row["version"]: str(row["ensemble"]) for row in found.to_pylist()}
    if arguments.version not in latest:
        known = ", ".join(sorted(latest)) or "none"
        problem = f"--version {arguments.version}: no decision of the log is of this version; known: {known}"
        raise Misconfigured([f"{problem}; give a catalog that has it with --catalog FILE"])
    return latest[arguments.version]


def _columns(catalog: Catalog) -> Columns | None:
    """The columns of the store, if it is on this machine: they show to which columns lists of categories belong."""
    if not isinstance(catalog.features, SqliteFeatures) or not Path(catalog.features.path).is_file():
        return None
    with contextlib.closing(open_store(Path(catalog.features.path))) as store:
        return read_columns(store)


def _check(what_if: WhatIf, target: Target) -> None:
    if not what_if.choices.decision:
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in what_if.skipped.most_common()) or "none chosen"
        raise Misconfigured([f"no decision can be scored with {target.ensemble.version}: {reasons}"])
    faults = [
        f"{target.origin}: feature {name!r} has no source: no logged row, context or offer has it"
        for name in what_if.unseen_context()
    ]
    if faults:
        raise Misconfigured(faults)


def _rewards(log: Log, game: str, arguments: argparse.Namespace, what_if: WhatIf) -> Rewards | None:
    """The rewards; None if the log has no outcomes of the range at all."""
    since, until = time_range(arguments)
    outcomes = log.outcomes_of_decisions(game, since, until)
    if _is_empty(log, outcomes):
        return None
    choices, within = what_if.choices, timedelta(hours=arguments.within)
    return rewards(purchases(log, outcomes), choices.decision, choices.time, choices.shown, within)


def _is_empty(log: Log, relation: duckdb.DuckDBPyRelation) -> bool:
    return not log.read(relation.limit(1)).num_rows


def _plain(verdict: Verdict, what_if: WhatIf) -> dict[str, Any]:
    flows: Sequence[dict[str, Any]] = [
        {"logged": logged, "version": target, "decisions": count}
        for (logged, target), count in sorted(verdict.flows.items(), key=lambda one: -one[1])
    ]
    estimates = {
        name: {kind: _numbers(values) for kind, values in dataclasses.asdict(one).items()}
        for name, one in verdict.estimates.items()
    }
    plain = dataclasses.asdict(dataclasses.replace(verdict, flows={}, estimates={}))
    return {**plain, "flows": flows, "estimates": estimates, "skipped": dict(what_if.skipped)}


def _numbers(values: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: None if math.isnan(value) else value for name, value in values.items()}
