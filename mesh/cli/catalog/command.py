"""`mesh catalog check` and `mesh catalog schema`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.catalog.faults import Fault, merge_shared, show_path
from mesh.catalog.shifts import Rollout, planned_version
from mesh.catalog.version import Version
from mesh.cli.catalog.upgrade import with_risks
from mesh.cli.checked_catalogs import CheckedCatalog, check_files
from mesh.cli.main import DONE, MISCONFIGURED
from mesh.roots import Roots


def check(arguments: argparse.Namespace) -> int:
    """Prints a summary of each file without faults, and the faults of the others; exit code 2 for any fault."""
    checked = check_files(
        arguments.files, values=True, folder=_roots(arguments), models_may_be_missing=arguments.models_elsewhere
    )
    if arguments.before is not None:
        checked = with_risks(checked, arguments.before, arguments.ready)
    if not arguments.quick:
        from mesh.cli.catalog.proofs import with_proofs  # here, because the supervisor's image cannot prove a model

        checked, notes = with_proofs(checked)
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
    if arguments.json:
        print(json.dumps([_as_json(one) for one in checked]))
    else:
        for one in checked:
            _print(one)
    return MISCONFIGURED if any(one.faults for one in checked) else DONE


def _roots(arguments: argparse.Namespace) -> Roots | None:
    if arguments.folder is None:
        return None
    return Roots(arguments.folder.absolute(), confined=True, others=tuple(arguments.volume))


def schema(_: argparse.Namespace) -> int:
    """Prints the JSON Schema of a catalog."""
    print(json.dumps(catalogs.schema(), indent=2))
    return DONE


def _print(checked: CheckedCatalog) -> None:
    for fault in merge_shared(checked.faults):
        print(fault, file=sys.stderr)
    for warning in checked.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if checked.catalog is not None and not checked.faults:
        print("\n".join(_summary(checked.file, checked.catalog)))


def _summary(file: Path, catalog: Catalog) -> Iterator[str]:
    holdout = catalog.assignment.holdout
    held_out = f", a holdout of {holdout:g} % of the players" if holdout else ""
    yield f"{file}: game {catalog.game}, answers in {catalog.budget_ms:g} ms{held_out}"
    planned = planned_version(catalog.versions)
    for name, version in catalog.versions.items():
        yield (
            f"  version {name}: {_traffic(version, planned)}{_shadow(version)}, {_models(version)}, "
            f"{version.combine.kind} of at least {version.quorum} votes"
        )


def _shadow(version: Version) -> str:
    return f", a shadow for {version.shadow:g} % of the others" if version.shadow else ""


def _models(version: Version) -> str:
    members = sum(model.is_member for model in version.models)
    silent = len(version.models) - len(version.voters)
    notes = [f"{members} of them members"] if members else []
    notes += [f"{silent} without a vote"] if silent else []
    return f"{len(version.models)} models" + (f" ({', '.join(notes)})" if notes else "")


def _traffic(version: Version, planned: tuple[str, Rollout] | None) -> str:
    plan = version.rollout
    if plan is not None:
        start = plan.start.replace("+00:00", "Z")
        now = f"{plan.step_at(time.time()).share:g} % now"
        return f"{plan.steps[0]:g} % of the players from {start}, {plan.steps[-1]:g} % in the end, {now}"
    which = f" that {planned[0]} leaves" if planned is not None else ""
    return f"{version.traffic:g} % of the players{which}"


def _as_json(checked: CheckedCatalog) -> dict[str, Any]:
    game = checked.catalog.game if checked.catalog else None
    faults = [_fault_as_json(fault) for fault in merge_shared(checked.faults)]
    warnings = {"warnings": list(map(_fault_as_json, checked.warnings))} if checked.warnings else {}
    return {"file": str(checked.file), "game": game, "ok": not faults, "faults": faults, **warnings}


def _fault_as_json(fault: Fault | str) -> dict[str, Any]:
    if isinstance(fault, str):
        return {"text": fault}
    parts = {"line": fault.line, "path": show_path(fault.at), "problem": fault.problem, "fix": fault.fix}
    parts["mend"] = fault.fix  # deprecated name of the key "fix"; to be removed in version 0.3
    return {"text": str(fault), **parts, "also": [show_path(at) for at in fault.also]}
