"""Changes models in the text of a catalog; comments and all other lines stay the same."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesh.catalog import yaml_edit, yaml_text
from mesh.catalog.faults import Location


def apply_changes(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns `text` with `changes` of its models, by version/model; a change replaces the keys that it contains.

    Raises Misconfigured if a model cannot be edited in place, for example because of an alias.
    """
    return yaml_edit.edit(text, {at: changes[name] for at, name in _models(text).items() if name in changes})


def unified_diff(path: Path, before: str, after: str) -> str:
    """Returns a diff for `patch -p0` and `git apply -p0`."""
    parts = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*parts, fromfile=str(path), tofile=str(path)))


def _models(text: str) -> dict[Location, str]:
    """The place of each model in the catalog, with its version/model."""
    return {
        ("versions", str(version), "models", position): f"{version}/{model['name']}"
        for version, ensemble in yaml_text.load(text)["versions"].items()
        for position, model in enumerate(ensemble["models"])
    }
