"""`mesh hpa tune`: searches the cheapest HPAs that meet an SLO, and prints a patch of the catalog; changes no file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from autoscaling.tuning import frontier_page, result_patch, slo
from autoscaling.tuning.search import SearchResult, search
from mesh import plot_page
from mesh.cli import console
from mesh.cli.hpa import progress, simulation_arguments
from mesh.cli.main import DONE, FAILED
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Searches, and prints the patch; returns 1 if no candidate meets the SLO."""
    if arguments.out is not None:
        plot_page.check_output(arguments.out)
    objectives = slo.parse(arguments.slo)
    given = simulation_arguments.read(arguments)
    if len(given.games) > 1:
        raise Misconfigured(["CATALOG: only one game can be tuned at a time; give one catalog"])
    print("tuning: simulates many candidates, which can take minutes", file=sys.stderr, flush=True)
    with progress.shown("tuning") as show:
        found = search(given, objectives, arguments.seeds, lambda _stage, share: show(share))
    file, (catalog, _) = arguments.catalogs[0], given.games[0]
    if arguments.out is not None:
        points = {"Points": "each is a complete simulation; the worst of its seeds counts", "SLO": arguments.slo}
        facts = points | {"Assumptions": simulation_arguments.remark(arguments)}
        facts |= simulation_arguments.origin(sys.argv[1:])
        plot_page.write(arguments.out, frontier_page.page(catalog.game, objectives, found, facts))
    patch = result_patch.patch(file, catalog, found.best)
    if arguments.json:
        print(json.dumps(result_patch.as_json(found, patch)))
    else:
        _print(found, arguments.slo)
        print(patch, end="")
    print(simulation_arguments.remark(arguments), file=sys.stderr)
    return DONE if found.best is not None else FAILED


def _print(found: SearchResult, objectives: str) -> None:
    out = console.stdout()
    table = console.table(("point",), ("core h", "full %", "p95 ms", "misses"))
    points = [("current HPAs", found.current), *((f"frontier {n}", one) for n, one in enumerate(found.frontier, 1))]
    for name, point in sorted(points, key=lambda one: one[1].core_hours):
        chosen = f"{', schedules' if point.schedules else ''}{' *' if point is found.best else ''}"
        figures = (f"{point.core_hours:,.0f}", f"{100 * point.full:.3f}", f"{1000 * point.p95_s:.1f}")
        table.add_row(name + chosen, *figures, _worst(point.misses) or "nothing")
    out.print(table)
    if found.best is None:
        needed = "it requires more replicas than any candidate has, or a longer time"
        console.print_line(out, f"no candidate meets {objectives}: {needed}")
        return
    saved = 1 - found.best.core_hours / found.current.core_hours
    now = "meet" if not found.current.misses else "miss"
    change = f"{saved:.0%} fewer" if saved >= 0 else f"{-saved:.0%} more"
    console.print_line(out, f"* meets {objectives} (the current HPAs {now} it) with {change} core hours; its patch:")


def _worst(misses: Sequence[str]) -> str:
    """One miss per objective, even if several seeds missed it."""
    return ", ".join({miss.split()[0]: miss for miss in sorted(misses)}.values())
