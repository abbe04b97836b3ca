"""Catalogs for tests of the traffic, without models' files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.catalog.catalog import Catalog


def catalog_of(versions: Mapping[str, float | Mapping[str, Any]], game: str = "g", **blocks: Any) -> Catalog:
    """Returns a catalog with `versions`: the traffic of each, or its keys."""
    return Catalog.model_validate(
        {
            "game": game,
            "features": {"path": "p"},
            "versions": {
                name: {
                    **(version if isinstance(version, Mapping) else {"traffic": version}),
                    "models": [{"name": "m", "uri": "m.txt"}],
                }
                for name, version in versions.items()
            },
            **blocks,
        }
    )
