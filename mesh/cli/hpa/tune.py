"""`mesh hpa tune`: the cheapest HPAs that keep a promise, as a patch of the catalog; nothing is changed by itself."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoscaling.tuning import catalog_patch, frontier_page, slo
from autoscaling.tuning.search import Candidate, Point, Tuned, tune
from mesh import plot_page
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import Scaled
from mesh.catalog.deployment.laying import laid_over, without
from mesh.cli import console
from mesh.cli.hpa import inputs, progress
from mesh.cli.main import DONE, FAILED
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Searches, and prints the patch; exit code 1 when nothing that was tried keeps the promise."""
    if arguments.out is not None:
        plot_page.must_be_possible(arguments.out)
    promise = slo.parse(arguments.slo)
    what = inputs.read(arguments)
    if len(what.games) > 1:
        raise Misconfigured(["CATALOG: one game is tuned at a time; give one catalog"])
    with progress.shown("tuning") as tell:
        found = tune(what, promise, arguments.seeds, lambda _stage, share: tell(share))
    file, (catalog, _) = arguments.catalogs[0], what.games[0]
    if arguments.out is not None:
        plot_page.write(arguments.out, frontier_page.page(catalog.game, arguments.slo, found))
    patch = _patch(file, catalog, found.best)
    if arguments.json:
        print(json.dumps(_as_json(found, patch)))
    else:
        _print(found, arguments.slo)
        print(patch, end="")
    print(inputs.remark(arguments), file=sys.stderr)
    return DONE if found.best is not None else FAILED


def _patch(file: Path, catalog: Catalog, best: Point | None) -> str:
    if best is None:
        return ""
    text = file.read_text(encoding="utf-8")
    changes = {name: change for name, one in best.choice.items() if (change := _change(catalog, name, one))}
    return catalog_patch.diff(file, text, catalog_patch.patched(text, changes)) if changes else ""


def _change(catalog: Catalog, name: str, candidate: Candidate) -> dict[str, Any]:
    """The keys of a model that change; what is the default or said above the model already, is not said again."""
    version, _, title = name.partition("/")
    model = next(one for one in catalog.versions[version].models if one.name == title)
    said = model.model_dump(by_alias=True, exclude_unset=True, mode="json", include={"replicas", "hpa"})
    wanted = candidate.laid_over(said)
    above = laid_over(Scaled, catalog, catalog.versions[version]).model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    told = {key: without(value, above[key]) for key, value in wanted.items()}
    return {key: value for key, value in told.items() if value != said.get(key, {})}


def _print(found: Tuned, promise: str) -> None:
    out = console.stdout()
    table = console.table(("point",), ("core h", "full %", "p95 ms", "misses"))
    points = [("as it is", found.now), *((f"frontier {n}", one) for n, one in enumerate(found.frontier, 1))]
    for name, point in sorted(points, key=lambda one: one[1].core_hours):
        chosen = " *" if point is found.best else ""
        figures = (f"{point.core_hours:,.0f}", f"{100 * point.full:.3f}", f"{1000 * point.p95_s:.1f}")
        table.add_row(name + chosen, *figures, _worst(point.misses) or "nothing")
    out.print(table)
    if found.best is None:
        console.print_line(
            out, f"nothing that was tried keeps {promise}: more replicas than any of these, or more time"
        )
        return
    saved = 1 - found.best.core_hours / found.now.core_hours
    kept = "kept" if not found.now.misses else "missed"
    price = f"{saved:.0%} fewer" if saved >= 0 else f"{-saved:.0%} more"
    console.print_line(out, f"* keeps {promise} (now {kept}) for {price} core hours; its patch:")


def _worst(misses: Sequence[str]) -> str:
    """One for each promise, though several seeds may have missed it."""
    return ", ".join({miss.split()[0]: miss for miss in sorted(misses)}.values())


def _as_json(found: Tuned, patch: str) -> Mapping[str, Any]:
    return {
        "now": _point(found.now),
        "frontier": [_point(point) for point in found.frontier],
        "best": None if found.best is None else _point(found.best),
        "patch": patch,
    }


def _point(point: Point) -> dict[str, Any]:
    choice = {name: one.laid_over({}) for name, one in point.choice.items()}
    sums = {"core_hours": point.core_hours, "full": point.full, "p95_ms": 1000 * point.p95_s}
    return {**sums, "misses": list(point.misses), "choice": choice}
