"""Finds the bins of the features of samples, in the layout of a reference."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.category_lists import codes_of
from mesh.drift.bins import padded, places_of_numbers
from mesh.drift.counts import FEATURE, Layout
from mesh.drift.reference import Distribution
from mesh.players.features import Columns
from supervisor.drift.sample import Sample

PlaceOf = Callable[[object], int]  # of a value that is not missing
Places = NDArray[np.intp]


class FeaturePlaces:
    """Finds the places of the features that the sources of a game fill: the context first, offers, then the store.

    `known` has the values of each category feature that a model of the version knows.
    """

    def __init__(
        self, layout: Layout, columns: Columns, sources: Sources, known: Mapping[str, AbstractSet[object]]
    ) -> None:
        reference = {name: one for (kind, name), one in layout.distributions.items() if kind == FEATURE}
        offers = sources.offers
        offered = reference.keys() & ({*offers.numbers, *offers.texts} if offers is not None else set())
        stored = reference.keys() - offered
        of_numbers = [(name, at) for at, name in enumerate(columns.numbers) if name in stored]
        plain = [(name, at) for name, at in of_numbers if reference[name].categories is None]
        coded = [(name, at) for name, at in of_numbers if reference[name].categories is not None]
        texts = [(name, at) for at, name in enumerate(columns.texts) if name in stored]
        texts = [(name, at) for name, at in texts if reference[name].categories is not None]
        in_context = [name for name in sources.context if name in reference]
        filled = [name for name, _ in (*plain, *coded, *texts)]
        names = [*filled, *sorted(offered), *sorted(set(in_context) - offered - set(filled))]
        self.columns = columns
        self._place_of = {name: _place_of(one, known.get(name, frozenset())) for name, one in reference.items()}
        self._edges_of = {name: np.array(one.edges) for name, one in reference.items() if one.categories is None}
        self._categorical = {name for name, one in reference.items() if one.categories is not None}
        self._starts = np.array([layout.start_of[FEATURE, name] for name in names], np.intp)
        self._missing = np.array([layout.missing_of((FEATURE, name)) for name in names], np.intp)
        self._plain = np.array([at for _, at in plain], np.intp)
        self._edges = padded([reference[name].edges for name, _ in plain])
        self._coded = [(self._place_of[name], at, names.index(name)) for name, at in coded]
        self._texts = [(self._place_of[name], at, names.index(name)) for name, at in texts]
        self._of_offers = slice(len(filled), len(filled) + len(offered))
        self._offers = self._offer_places(sources, sorted(offered))
        self._context = {name: (names.index(name), self._place_of[name]) for name in in_context}

    @property
    def features(self) -> int:
        """The number of features."""
        return len(self._starts)

    def find(self, samples: Sequence[Sample]) -> Places:
        """Returns the place of each feature of `samples`, which have the columns of this object [samples, features]."""
        places = np.repeat(self._missing[None, :], len(samples), axis=0)
        numbers = np.frombuffer(b"".join([one.player.numbers for one in samples]), "<f8").reshape(len(samples), -1)
        if len(self._plain):
            given = numbers[:, self._plain]
            width = len(self._plain)
            places[:, :width] = np.where(np.isnan(given), self._missing[:width], places_of_numbers(given, self._edges))
        for place_of, column, to in self._coded:
            for row, value in enumerate(numbers[:, column].tolist()):
                if value == value:  # not NaN
                    places[row, to] = place_of(value)
        for place_of, column, to in self._texts:
            for row, one in enumerate(samples):
                text = one.player.texts[column]
                if text is not None:
                    places[row, to] = place_of(text)
        if self._offers.size:
            places[:, self._of_offers] = self._offers[[one.offer for one in samples]]
        if self._context:
            for row, one in enumerate(samples):
                for name, value in one.context.items():
                    if name in self._context:
                        to, place_of = self._context[name]
                        places[row, to] = place_of(value)
        found: Places = places + self._starts
        return found

    def _offer_places(self, sources: Sources, names: Sequence[str]) -> Places:
        """Returns the places of the features of each offer, and then of no offer [offers + 1, names]."""
        offers = sources.offers
        if offers is None or not names:
            return np.empty((0, 0), np.intp)
        places = np.repeat(self._missing[None, self._of_offers], len(offers.ids) + 1, axis=0)
        for to, name in enumerate(names):
            if name in self._categorical:
                self._place_categories(offers, name, places[:-1, to])
            elif name in offers.numbers:
                given = np.array(offers.numbers[name])
                found = np.searchsorted(self._edges_of[name], given)
                places[:-1, to] = np.where(np.isnan(given), places[:-1, to], found)
        return places

    def _place_categories(self, offers: OffersTable, name: str, places: Places) -> None:
        """Fills the places of one feature [offers]; a number may be known in the form in which it is written."""
        place_of = self._place_of[name]
        forms = [table[name] for table in (offers.numbers, offers.texts, offers.spellings) if name in table]
        for row, values in enumerate(zip(*forms, strict=True)):
            given = [value for value in values if value is not None and value == value]
            if given:
                places[row] = min(place_of(value) for value in given)


def _place_of(one: Distribution, known: AbstractSet[object]) -> PlaceOf:
    """Returns the place of a value in a distribution: of its bin, or of unseen values."""
    unseen = len(one.counts) + 1
    if one.categories is None:
        edges = one.edges
        return lambda value: bisect_left(edges, value) if isinstance(value, float | int) else unseen
    places: dict[object, int] = {value: len(one.categories) for value in known}
    places |= {value: int(code) for value, code in codes_of(one.categories).items()}
    return lambda value: places.get(value, unseen)
