"""The result of a search as a patch of the catalog file, and as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaling.tuning import catalog_patch
from autoscaling.tuning.candidate import Candidate
from autoscaling.tuning.search import FrontierPoint, SearchResult
from mesh.bounded_file import read_text
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import WorkerDeployment
from mesh.catalog.deployment.names import SHARED
from mesh.catalog.deployment.overlay import overlay, subtract
from mesh.catalog.deployment.workers import Workers, workers_of
from mesh.catalog.yaml_limits import MAX_BYTES


def patch(file: Path, catalog: Catalog, best: FrontierPoint | None) -> str:
    """Returns the patch of `file` for the settings of `best`; empty if there is no change."""
    if best is None:
        return ""
    text = read_text(file, MAX_BYTES)
    workers = {one.place: one for one in workers_of(catalog)}
    changes = {name: change for name, one in best.choice.items() if (change := _change(catalog, workers[name], one))}
    return catalog_patch.unified_diff(file, text, catalog_patch.apply_changes(text, changes)) if changes else ""


def as_json(found: SearchResult, patch_text: str) -> Mapping[str, Any]:
    """Returns the JSON document of a search."""
    return {
        "now": _point(found.current),
        "frontier": [_point(point) for point in found.frontier],
        "best": None if found.best is None else _point(found.best),
        "patch": patch_text,
    }


def _change(catalog: Catalog, workers: Workers, candidate: Candidate) -> dict[str, Any]:
    """The keys of a model that change, without values that are defaults or that a level above the model sets."""
    keys = {"replicas", "hpa", "schedule"}
    current = workers.model.model_dump(by_alias=True, exclude_unset=True, mode="json", include=keys)
    wanted = candidate.applied_to(current)
    levels = (catalog,) if workers.home == SHARED else (catalog, catalog.versions[workers.home])
    inherited = overlay(WorkerDeployment, *levels).model_dump(by_alias=True, exclude_none=True, mode="json")
    required = {key: subtract(value, inherited[key]) for key, value in wanted.items()}
    return {key: value for key, value in required.items() if value != current.get(key, {})}


def _point(point: FrontierPoint) -> dict[str, Any]:
    choice = {name: one.applied_to({}) for name, one in point.choice.items()}
    totals = {"core_hours": point.core_hours, "full": point.full, "p95_ms": 1000 * point.p95_s}
    return {**totals, "misses": list(point.misses), "choice": choice}
