"""`mesh k8s diff`: which HPAs a catalog would change, before anyone applies it."""

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
    """Prints what would change; exit codes as diff(1) has them: 0 nothing, 1 something, 2 it cannot be told."""
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


def _print(found: Sequence[Change], of: int) -> None:
    out = console.stdout()
    if not found:
        console.print_line(out, f"no change: all {of} HPAs are as the catalog says")
        return
    table = console.table(("HPA", "field"), ("now", "would be"))
    for position, change in enumerate(found):
        repeated = position and found[position - 1].name == change.name
        table.add_row("" if repeated else change.name, change.field, change.now, change.then)
    out.print(table)
    touched = len({change.name for change in found})
    console.print_line(out, f"{touched} of {of} HPAs would change")
