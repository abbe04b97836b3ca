"""Rows for another version, from the rows, the contexts and the candidates in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.category_lists import CategoryList, codes_of, has_texts
from mesh.decisions.side_files import Layout, OfferValues
from mesh.errors import Misconfigured
from mesh.reference.logged.requests import Requests
from mesh.reference.logged.target import Target

_MANY = 8  # the log has at most as many names of unseen inputs of a decision


class Recoding:
    """Makes the rows of a target from logged decisions whose rows have the layouts `logged`, by name.

    `features` are those that the logged rows have. Raises Misconfigured with all features of the target that neither
    the log, the context nor the offers have.
    """

    def __init__(self, target: Target, logged: Mapping[str, Layout]) -> None:
        self._target = target
        self._sources = {name: _sources(layout, target, logged) for name, layout in target.layouts.items()}
        self.features = frozenset(name for sources in self._sources.values() for name in sources)
        self._lossy = frozenset().union(*(self._lossy_features(name, logged) for name in target.layouts))

    def known(self, unseen: Sequence[Sequence[str] | None]) -> NDArray[np.bool_]:
        """Whether the log has all values that the target needs [decisions].

        A category that no logged model knows is NaN in the log, but the target may know it. `unseen` [decisions] are
        the features with such a value.
        """
        return np.array(
            [not self._lossy or (len(names or ()) < _MANY and self._lossy.isdisjoint(names or ())) for names in unseen],
            bool,
        )

    def requests(self, requests: Requests, contexts: Sequence[Mapping[str, Any]]) -> Requests:
        """Returns the inputs of the target for logged `requests`, with their `contexts` [decisions]."""
        shared = {name: self._rows(name, layout, requests, contexts) for name, layout in self._target.layouts.items()}
        picks = requests.picks if requests.offers is None else self._picks(requests.offers)[requests.picks]
        if len(picks) and picks.min() < 0:
            assert requests.offers is not None
            unknown = requests.offers.ids[int(requests.picks[picks.argmin()])]
            problem = f"{self._target.origin}: has no offer {unknown!r}, which is a candidate in the log"
            raise Misconfigured([f"{problem}; give a catalog with all offers of that time"])
        return Requests(requests.counts, picks, self._target.offers, shared, requests.contexts)

    def _picks(self, offers: OfferValues) -> NDArray[np.int64]:
        known = () if self._target.offers is None else self._target.offers.ids
        places = {offer: place for place, offer in enumerate(known)}
        return np.array([places.get(offer, -1) for offer in offers.ids], np.int64)

    def _rows(
        self, name: str, layout: Layout, requests: Requests, contexts: Sequence[Mapping[str, Any]]
    ) -> NDArray[np.float64]:
        rows = np.full((len(requests.counts), len(layout.features)), np.nan)
        for column, feature in enumerate(layout.features):
            for logged, from_column, codes in self._sources[name].get(feature, ()):
                values = _coded(requests.shared[logged][:, from_column], codes)
                rows[:, column] = np.where(np.isnan(rows[:, column]), values, rows[:, column])
            if feature in layout.context:
                _fill(rows[:, column], feature, layout.categories.get(feature), contexts)
        return rows

    def _lossy_features(self, name: str, logged: Mapping[str, Layout]) -> frozenset[str]:
        """The features of which the target knows a category that no logged layout knows."""
        layout = self._target.layouts[name]
        return frozenset(
            feature
            for feature, values in layout.categories.items()
            if feature in self._sources[name]
            and not set(values) <= {one for other in logged.values() for one in other.categories.get(feature, ())}
        )


_Codes = NDArray[np.float64] | Mapping[object, float] | None
_Source = tuple[str, int, _Codes]  # layout, its column, and the target's values of its values


def _sources(layout: Layout, target: Target, logged: Mapping[str, Layout]) -> dict[str, list[_Source]]:
    """Returns the columns of the log that fill each feature, except those of the offers.

    Raises Misconfigured with all features that neither the log nor the context of requests has.
    """
    found: dict[str, list[_Source]] = {}
    faults = []
    for feature in layout.features:
        if feature in layout.offer_features:
            continue
        having = [
            (name, one) for name, one in logged.items() if feature in one.features and feature not in one.offer_features
        ]
        sources = [
            (name, one.features.index(feature), _codes(one.categories.get(feature), layout.categories.get(feature)))
            for name, one in having
            if _fits(one.categories.get(feature), layout.categories.get(feature))
        ]
        if sources:
            found[feature] = sources
        elif having:
            faults.append(f"feature {feature!r} has other values in the log: texts in one and numbers in the other")
        elif feature not in layout.context:
            faults.append(f"feature {feature!r} has no source: it is not in the logged rows, the context or the offers")
    if faults:
        fix = f"the log cannot show what version {target.ensemble.version!r} would have shown"
        raise Misconfigured([f"{target.origin}: {fault}; {fix}" for fault in faults])
    return found


def _fits(logged: CategoryList | None, wanted: CategoryList | None) -> bool:
    return has_texts(logged or ()) == has_texts(wanted or ())


def _codes(logged: CategoryList | None, wanted: CategoryList | None) -> _Codes:
    """Returns the target's value of each logged code, or of each logged number; None: both have the same numbers."""
    if logged is None:
        return None if wanted is None else codes_of(wanted)
    if wanted is None:
        return np.array([float(value) for value in logged], np.float64)
    codes = codes_of(wanted)
    return np.array([codes.get(value, np.nan) for value in logged], np.float64)


def _coded(values: NDArray[np.float64], codes: _Codes) -> NDArray[np.float64]:
    if codes is None:
        return values
    if isinstance(codes, np.ndarray):
        coded = np.full(len(values), np.nan)
        known = ~np.isnan(values)
        coded[known] = codes[values[known].astype(np.int64)]
        return coded
    return np.array([codes.get(value, np.nan) for value in values.tolist()], np.float64)


def _fill(
    column: NDArray[np.float64], feature: str, categories: CategoryList | None, contexts: Sequence[Mapping[str, Any]]
) -> None:
    """Writes the values of the context, which win over the store."""
    codes = None if categories is None else codes_of(categories)
    for at, context in enumerate(contexts):
        if feature in context:
            value = context[feature]
            column[at] = value if codes is None else codes.get(value, np.nan)
