"""`mesh k8s diff`: shows which HPAs a catalog would change, before you apply it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

from mesh.catalog import catalog as catalogs
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.diff import Change, changes
from mesh.cli import console, hpa_objects
from mesh.cli.main import DONE, FAILED


def run(arguments: argparse.Namespace) -> int:
    """Prints the changes. Exit codes as in diff(1): 0 no changes, 1 changes, 2 error."""
    catalog = catalogs.load(arguments.file)
    then = list(autoscalers(catalog))
    now = _now(arguments, catalog.game)
    found = list(changes(now, then))
    if arguments.json:
        print(json.dumps([dataclasses.asdict(change) for change in found]))
    else:
        _print(found, len({scaler.name for scaler in (*now, *then)}))
    return FAILED if found else DONE


def _now(arguments: argparse.Namespace, game: str) -> list[Autoscaler]:
    if not arguments.live:
        return hpa_objects.rendered(arguments.rendered / game)
    options = {"--namespace": arguments.namespace, "--context": arguments.context}
    given = [f"{option}={value}" for option, value in options.items() if value is not None]
    return hpa_objects.live(game, [arguments.kubectl, *given])


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
