"""Adds to checked catalogs the faults of the upgrade that would put them in force: players without models."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.risks import risks
from mesh.cli.checked_catalogs import CheckedCatalog
from mesh.errors import Misconfigured, unreadable


def with_risks(checked: Sequence[CheckedCatalog], before: Path, ready: Path | None) -> list[CheckedCatalog]:
    """Compares the catalogs with the one at `before`, which is in force, if they are of the same game.

    `ready` is a JSON file: the number of ready replicas by Deployment. Raises Misconfigured if it is malformed.
    """
    replicas = None if ready is None else read_replicas(ready)
    try:
        in_force = catalogs.load(before)
    except Misconfigured as error:  # of another release of the mesh, or refused by the supervisors
        print(f"warning: the catalog in force is not compared: {error.reason}", file=sys.stderr)
        return list(checked)
    return [_with_risks(one, in_force, replicas) for one in checked]


def read_replicas(file: Path) -> Mapping[str, int]:
    """Reads the number of ready replicas by Deployment; raises Misconfigured."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error, "check the path and its permissions") from error
    except ValueError as error:
        raise Misconfigured([f"{file}: is not JSON: {error}; give the ready replicas by Deployment"]) from error
    if not isinstance(values, dict) or not all(isinstance(count, int) for count in values.values()):
        raise Misconfigured([f"{file}: is not a mapping of numbers; give the ready replicas by Deployment"])
    return values


def _with_risks(checked: CheckedCatalog, in_force: Catalog, ready: Mapping[str, int] | None) -> CheckedCatalog:
    if checked.draft is None or checked.catalog is None or checked.catalog.game != in_force.game:
        return checked
    found = [checked.draft.tree.fault(*risk) for risk in risks(in_force, checked.catalog, ready)]
    return replace(checked, faults=(*checked.faults, *found))
