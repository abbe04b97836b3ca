"""`mesh k8s diff`: shows which HPAs a catalog would change, and which players it would leave without models."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.diff import Change, changes
from mesh.catalog.deployment.risks import risks
from mesh.catalog.faults import show_path
from mesh.cli import console
from mesh.cli.k8s import hpa_objects, state
from mesh.cli.main import DONE, FAILED
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the changes, and warnings to stderr. Exit codes as in diff(1): 0 no changes, 1 changes, 2 error."""
    catalog = catalogs.load(arguments.file)
    then = list(autoscalers(catalog))
    now = _now(arguments, catalog.game)
    found = list(changes(now, then))
    for warning in _warnings(arguments, catalog):
        print(f"warning: {warning}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(change) for change in found]))
    else:
        _print(found, len({scaler.name for scaler in (*now, *then)}))
    return FAILED if found else DONE


def _now(arguments: argparse.Namespace, game: str) -> list[Autoscaler]:
    if not arguments.live:
        return hpa_objects.rendered(arguments.rendered / game)
    return hpa_objects.live(game, _kubectl(arguments))


def _warnings(arguments: argparse.Namespace, catalog: Catalog) -> Iterator[str]:
    """Yields what the chart's check before an upgrade refuses, compared with the catalog in force."""
    game = catalog.game
    try:
        now = (
            state.live(game, _kubectl(arguments)) if arguments.live else state.rendered(arguments.rendered / game, game)
        )
    except Misconfigured as error:  # no right to read these objects; the HPAs have been read
        yield f"the catalog in force is not compared: {error.reason}"
        return
    if now.catalog is not None:
        for at, problem, fix in risks(now.catalog, catalog, now.ready):
            yield f"{show_path(at)}: {problem}; {fix}"


def _kubectl(arguments: argparse.Namespace) -> list[str]:
    options = {"--namespace": arguments.namespace, "--context": arguments.context}
    return [arguments.kubectl, *(f"{option}={value}" for option, value in options.items() if value is not None)]


def _print(found: Sequence[Change], count: int) -> None:
    out = console.stdout()
    if not found:
        console.print_line(out, f"no change: all {count} HPAs match the catalog")
        return
    table = console.table(("HPA", "field"), ("now", "would be"))
    for position, change in enumerate(found):
        repeated = position and found[position - 1].name == change.name
        table.add_row("" if repeated else change.name, change.field, change.now, change.then)
    out.print(table)
    changed = len({change.name for change in found})
    console.print_line(out, f"{changed} of {count} HPAs would change")
