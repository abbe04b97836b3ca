"""The player store of a catalog, for load tests that read it directly."""

from __future__ import annotations

from pathlib import Path

from loadtest.errors import CannotMeasure
from mesh.catalog.catalog import Catalog
from mesh.players.settings import SqliteFeatures


def sqlite_path(catalog: Catalog) -> Path:
    """The path of the SQLite store; raises CannotMeasure if the catalog has another store."""
    if not isinstance(catalog.features, SqliteFeatures):
        raise CannotMeasure(
            f"{catalog.game}: features.store is {catalog.features.store}, but this command reads sqlite only"
        )
    return Path(catalog.features.path)
