"""Loads the catalogs of `mesh up`, which starts if each game has a version that can be served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.faults import Fault, Location, merge_shared
from mesh.cli.checked_catalogs import CheckedCatalog, check_files
from mesh.errors import Misconfigured


def load_served(files: Sequence[Path]) -> tuple[list[Catalog], list[str]]:
    """Returns the catalogs of `files`, and the faults of model files that the mesh can start with.

    The workers refuse those models, as they do in a running mesh. Raises Misconfigured with all faults of all files if
    one of them has another fault, or has no version with players and enough models for its quorum.
    """
    checked = check_files(files)
    faults = [str(fault) for one in checked for fault in merge_shared(one.faults)]
    if not all(_can_start(one) for one in checked):
        raise Misconfigured(faults)
    return [one.catalog for one in checked if one.catalog is not None], faults


def _can_start(checked: CheckedCatalog) -> bool:
    if checked.draft is None or checked.catalog is None:
        return False
    others = {*checked.draft.faults, *catalog_files.faults(checked.draft, models_elsewhere=True)}
    of_models = [fault for fault in checked.faults if isinstance(fault, Fault) and fault not in others]
    if len(of_models) < len(checked.faults):
        return False
    refused = {fault.at[: len(at)] for fault in of_models for at, _ in checked.draft.models()}
    return not refused or any(
        (version.traffic > 0 or version.rollout is not None)
        and sum(place not in refused for place in _places(checked.catalog, name)) >= version.quorum
        for name, version in checked.catalog.versions.items()
    )


def _places(catalog: Catalog, name: str) -> Iterator[Location]:
    """Yields the place in the catalog of the file of each model of a version."""
    members = {member.name: position for position, member in enumerate(catalog.members)}
    for position, model in enumerate(catalog.versions[name].models):
        yield ("members", members[model.name]) if model.is_member else ("versions", name, "models", position)
