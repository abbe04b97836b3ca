"""Compares the values of the player store and of the offers with the categories of the models on this machine."""

from __future__ import annotations

import contextlib
import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from mesh.catalog.catalog import Draft
from mesh.catalog.decisions import unwritable
from mesh.catalog.faults import Fault
from mesh.catalog.files import header_of, offers_of
from mesh.catalog.members import unused
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources, resolved
from mesh.catalog.unseen import known_values, unseen_offer_values, unseen_values
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader
from mesh.players.features import Columns
from mesh.players.settings import SqliteFeatures
from mesh.players.sqlite import open_store, read_columns, read_some_players

SAMPLE_PLAYERS = 2000
FIX = "give the values as they were in training"

Known = Mapping[str, Mapping[str, set[object]]]  # the known values, by version and feature
Counts = Mapping[str, Counter[object]]  # the number of each value, by feature


class KnownValues:
    """The values that the models on this machine know; models that cannot be read are left out."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._headers = {version: list(_headers(draft, version)) for version in draft.versions}
        self._offers = _offers(draft)

    @property
    def features(self) -> frozenset[str]:
        """The features that may have categories."""
        headers = [header for headers in self._headers.values() for header in headers]
        open_columns = [names for header in headers if header.open_lists for names in header.open_lists.columns]
        return frozenset(name for header in headers for name in header.categories) | frozenset().union(*open_columns)

    def of_store(self, columns: Columns) -> Known:
        """Returns the values by version and feature, for a store with `columns`, without the features of the offers."""
        offered = {*self._offers.numbers, *self._offers.texts} if self._offers else set[str]()
        return {
            version: {name: values for name, values in known.items() if name not in offered}
            for version, known in self._known(columns).items()
        }

    def unseen_in_store(self, columns: Columns, counts: Counts) -> list[str]:
        """Returns a sentence for each feature of the store with values that no model of a version knows."""
        return list(map(str, unseen_values(counts, self.of_store(columns))))

    def unseen_in_offers(self, columns: Columns) -> Iterator[str]:
        """Yields a sentence for each feature of the offers with values that no model of a version knows."""
        table = self._offers
        for version, known in self._known(columns).items() if table else ():
            for name in sorted(known.keys() & {*table.numbers, *table.texts} if table else ()):
                unseen = list(unseen_offer_values(table, name, known[name]))
                if unseen and table:
                    examples = ", ".join(f"{value!r} of offer {table.ids[at]!r}" for at, value in unseen[:3])
                    problem = f"{len(unseen)} of {len(table.ids)} offers have a value that no model of {version} knows"
                    yield f"{name!r}: {problem}: {examples}"

    def _known(self, columns: Columns) -> dict[str, dict[str, set[object]]]:
        sources = Sources(columns, self._draft.context, self._offers)
        return {
            version: known_values(resolved(header, sources) for header in headers)
            for version, headers in self._headers.items()
        }


def warnings(draft: Draft) -> list[Fault]:
    """Returns the members without a vote, and the values of the offers and of a sample of players that no model knows.

    The sample is from SQLite. Also warns of a decision log that cannot be written here.
    """
    known = KnownValues(draft)
    columns, counts = _sample(draft, known.features)
    block = draft.offers
    key = "path" if block is None or block.table is None else "table"
    found = [draft.tree.fault(("offers", key), problem, FIX) for problem in known.unseen_in_offers(columns)]
    for problem in known.unseen_in_store(columns, counts):
        where = f"of {SAMPLE_PLAYERS:,} players at most: {problem}"
        found.append(draft.tree.fault(("features", "path"), where, FIX))
    found += unused(draft.tree)
    if draft.catalog is not None and draft.catalog.decisions is not None:
        found += unwritable(draft.tree, draft.catalog.decisions)
    return sorted(found, key=lambda fault: fault.line)


def _sample(draft: Draft, features: frozenset[str]) -> tuple[Columns, Counts]:
    empty = Columns((), ())
    if not isinstance(draft.features, SqliteFeatures):  # the check reads no table: it needs no network
        return (draft.features and draft.features.named_columns) or empty, {}
    try:
        with contextlib.closing(open_store(Path(draft.features.path))) as store:
            columns, players = read_columns(store), read_some_players(store, SAMPLE_PLAYERS)
    except Misconfigured:  # `mesh.catalog.files.faults` reports it
        return empty, {}
    counts = {name: Counter[object]() for name in features & {*columns.numbers, *columns.texts}}
    for player in players:
        numbers = struct.unpack(f"<{len(columns.numbers)}d", player.numbers)
        for name, value in zip((*columns.numbers, *columns.texts), (*numbers, *player.texts), strict=True):
            if name in counts and value is not None and not (isinstance(value, float) and math.isnan(value)):
                counts[name][value] += 1
    return columns, counts


def _headers(draft: Draft, version: str) -> Iterator[ModelHeader]:
    for model in draft.versions[version].models:
        if model is not None:
            with contextlib.suppress(BadModel, OSError):
                yield header_of(model)


def _offers(draft: Draft) -> OffersTable | None:
    with contextlib.suppress(Misconfigured):
        return offers_of(draft.offers) if draft.offers else None
    return None
