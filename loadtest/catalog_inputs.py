"""The inputs that a catalog knows: the players of its store, its offers, and the values that its models have seen."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.game_inputs import Chosen, ContextValue
from loadtest.generators.popularity import MAX_PLAYERS
from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.model_file import BadModel, read_header
from mesh.players.settings import SqliteFeatures
from mesh.players.sqlite import open_store

VALUES = 9  # of a number: evenly spaced in the range that the models have seen
UNKNOWN_RANGE = (0.0, 1.0)  # of a number that no local model has
INFOS = re.compile(r"^feature_infos=(.*)$", re.MULTILINE)
RANGE = re.compile(r"^\[([^:\]]+):([^:\]]+)\]$")


class Known(NamedTuple):
    """The inputs of a catalog. `players` is None if they were not read; `offers` is None for a game without offers."""

    game: str
    players: Sequence[str] | None
    drawn: Mapping[str, Sequence[ContextValue]]
    offers: Sequence[str] | None


def read_catalog(chosen: Chosen) -> Known:
    """Reads the catalog; reads the store only if no file of player ids is given."""
    assert chosen.catalog is not None
    catalog = catalogs.load(chosen.catalog)
    players = None if chosen.player_ids is not None else stored_players(catalog, chosen.players or MAX_PLAYERS)
    offers = catalog_files.offers_of(catalog.offers).ids if catalog.offers else None
    return Known(catalog.game, players, context_values(catalog), offers)


def stored_players(catalog: Catalog, limit: int) -> list[str]:
    """At most `limit` players of the SQLite store, ordered by id; raises CannotMeasure for another store."""
    features = catalog.features
    if not isinstance(features, SqliteFeatures):
        reason = f"the players of {catalog.game} are in {features.store}, which cannot be listed"
        raise CannotMeasure(f"--catalog: {reason}; write some of their ids to a file and set --player-ids FILE")
    with contextlib.closing(open_store(Path(features.path))) as store:
        found = [row[0] for row in store.execute("SELECT player_id FROM players ORDER BY player_id LIMIT ?", (limit,))]
    if not found:
        raise CannotMeasure(f"--catalog: {features.path} has no players; load some with `mesh features load`")
    return found


def context_values(catalog: Catalog) -> dict[str, list[ContextValue]]:
    """The values to draw for each context feature of the catalog.

    A text that no local model knows is left out: every value of it would be unseen.
    """
    seen = list(_seen(catalog))
    values: dict[str, list[ContextValue]] = {}
    for name, kind in catalog.context.items():
        if kind == "boolean":
            values[name] = [False, True]
        elif kind == "text":
            values[name] = sorted({text for feature, texts, _ in seen if feature == name for text in texts})
        else:
            ranges = [found for feature, _, found in seen if feature == name and found] or [UNKNOWN_RANGE]
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
            values[name] = [round(float(value), 6) for value in np.linspace(low, high, VALUES)]
    return {name: found for name, found in values.items() if found}


def _seen(catalog: Catalog) -> Iterator[tuple[str, list[str], tuple[float, float] | None]]:
    """The texts and the range of each feature of each model file on this machine."""
    for path in {model.uri for version in catalog.versions.values() for model in version.models}:
        try:
            header, infos = read_header(Path(path)), _infos(Path(path))
        except (BadModel, OSError):  # on S3, or not on this machine
            continue
        for name, info in zip(header.feature_names, infos, strict=False):
            found = RANGE.match(info)
            texts = [value for value in header.categories.get(name, ()) if isinstance(value, str)]
            yield name, texts, (float(found[1]), float(found[2])) if found else None


def _infos(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if found := INFOS.match(line):
                return found[1].split(" ")
            if line.startswith("Tree="):
                break
    return []
