"""The player store of a catalog that the load tests read by themselves."""

from __future__ import annotations

from pathlib import Path

from loadtest.faults import CannotMeasure
from mesh.catalog.catalog import Catalog
from mesh.players.settings import SqliteFeatures


def sqlite_path(catalog: Catalog) -> Path:
    """The file; raises CannotMeasure when the players are kept elsewhere."""
    if not isinstance(catalog.features, SqliteFeatures):
        raise CannotMeasure(f"{catalog.game}: features.store is {catalog.features.store}; this measures sqlite only")
    return Path(catalog.features.path)
