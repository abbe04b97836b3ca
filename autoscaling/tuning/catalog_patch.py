"""Changes models in the text of a catalog; comments and all other lines stay the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mesh.catalog import yaml_edit, yaml_text
from mesh.catalog.deployment.names import SHARED
from mesh.catalog.faults import Location
from mesh.catalog.members import kind_of_entry


def apply_changes(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns `text` with `changes` of its models, by home/model; a change replaces the keys that it contains.

    Raises Misconfigured if a model cannot be edited in place, for example because of an alias.
    """
    return yaml_edit.edit(text, {at: changes[name] for at, name in _models(text) if name in changes})


def unified_diff(path: Path, before: str, after: str) -> str:
    """Returns a diff for `patch -p0` and `git apply -p0`."""
    parts = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*parts, fromfile=str(path), tofile=str(path)))


def _models(text: str) -> Iterator[tuple[Location, str]]:
    """The place in the catalog of each model that has replicas, with its home/model."""
    values = yaml_text.load(text)
    for position, member in enumerate(values.get("members", ())):
        yield ("members", position), f"{SHARED}/{member['name']}"
    for version, ensemble in values["versions"].items():
        for position, model in enumerate(ensemble["models"]):
            if kind_of_entry(model) == "[model]":
                yield ("versions", str(version), "models", position), f"{version}/{model['name']}"
