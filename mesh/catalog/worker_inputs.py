"""The inputs file of the workers: the parts of a catalog that say which features the models can get.

A worker refuses a model that no supervisor could feed (docs/decisions/0017-generations.md). The file is JSON with the
keys `features`, `context` and `offers` of the catalog, and `folder`, where relative paths start. This module does not
import the catalog's types, which would make the start of a worker slower.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesh.bounded_file import read_text
from mesh.catalog.offers_table import OffersTable, parse_offers, read_offers
from mesh.catalog.sources import Sources, misfits
from mesh.errors import Misconfigured
from mesh.model_file import ModelHeader
from mesh.players.features import Columns
from mesh.roots import Roots

if TYPE_CHECKING:
    from mesh.catalog.catalog import Catalog

MAX_BYTES = 8 * 2**20  # a catalog, as JSON
_PARTS = frozenset({"features", "context", "offers"})


@dataclass(frozen=True, slots=True)
class KnownSources:
    """The sources of a game as far as they are known on this machine; `unknown` names the others."""

    sources: Sources
    unknown: tuple[str, ...]


def inputs_of(catalog: Catalog) -> str:
    """Returns the inputs file of a loaded catalog, whose paths are absolute."""
    return json.dumps(catalog.model_dump(mode="json", by_alias=True, include=set(_PARTS), exclude_none=True))


def read_inputs(path: Path) -> KnownSources:
    """Reads an inputs file, and the store and the offers that it names; raises Misconfigured if it is not valid.

    A store or a table of offers that cannot be read here is unknown: the supervisors may have it.
    """
    try:
        inputs = json.loads(read_text(path, MAX_BYTES))
        folder, context = Path(inputs.get("folder", "")), dict(inputs.get("context") or {})
        columns = _columns(inputs["features"], folder)
        offers = _offers(inputs.get("offers"), folder)
    except OSError as error:
        raise Misconfigured([f"{path}: {error.strerror or error}"]) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misconfigured([f"{path}: is not an inputs file: {error!r}"]) from error
    unknown = [
        *(["the columns of the player store"] if columns is None else []),
        *(["the table of offers"] if offers is None and inputs.get("offers") else []),
    ]
    return KnownSources(Sources(columns, context, offers), tuple(unknown))


def faults(header: ModelHeader, known: KnownSources) -> list[str]:
    """Returns what no supervisor can do for a model: the features that have no source, or one of another kind.

    While a source is unknown, a feature may come from it, so only features of known sources are checked.
    """
    return ["; ".join(fault) for fault in misfits(header, known.sources, is_complete=not known.unknown)]


def _columns(features: Mapping[str, Any], folder: Path) -> Columns | None:
    if features.get("store", "sqlite") != "sqlite":
        named = features.get("columns")
        return None if named is None else Columns(tuple(named.get("numbers", ())), tuple(named.get("texts", ())))
    from mesh.players.sqlite import open_store, read_columns  # here, because other stores need no SQLite

    path = _inside(folder, features["path"])
    if not path.is_file():
        return None
    try:
        with contextlib.closing(open_store(path)) as connection:
            return read_columns(connection)
    except Misconfigured:
        return None


def _inside(folder: Path, path: str) -> Path:
    """Returns the place of a path; raises ValueError if a relative one leaves `folder`."""
    return Path(Roots(folder, confined=str(folder) != ".").place(path, may_be_elsewhere=True))


def _offers(offers: Mapping[str, Any] | None, folder: Path) -> OffersTable | None:
    if not offers:
        return None
    try:
        if offers.get("table") is not None:
            return parse_offers(offers["table"], "the table")
        path = _inside(folder, offers["path"])
        return read_offers(path) if path.is_file() else None
    except Misconfigured:
        return None
