"""Ranks offers by score or by expected revenue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.offers_table import OffersTable


class RankedOffer(NamedTuple):
    """An offer with its combined score. Both numbers are None in a fallback.

    A named tuple, because up to thousands are made for each request: a frozen dataclass takes twice as long.
    """

    offer_id: str
    score: float | None
    expected_revenue: float | None  # None for an offer without a price


class Ranking:
    """Ranks the offers of `table` by score; with `by_revenue`, and if there are prices, by score times price."""

    def __init__(self, table: OffersTable, by_revenue: bool) -> None:
        self._ids = table.ids
        self._prices = None if table.prices is None else np.array(table.prices)
        self._by_revenue = by_revenue

    def best(self, candidates: Sequence[int], scores: NDArray[np.float64], limit: int) -> tuple[RankedOffer, ...]:
        """Returns the best `limit` of `candidates` (positions in the table), best first; ties keep their order.

        `scores` [candidates]. By expected revenue, an offer without a price ranks last.
        """
        revenues = self._revenues(candidates, scores)
        return self._offers(candidates, scores, revenues, highest(self._keys(scores, revenues), limit))

    def offers(
        self, candidates: Sequence[int], scores: NDArray[np.float64], places: Sequence[int]
    ) -> tuple[RankedOffer, ...]:
        """Returns the offers at `places` of the candidates, in this order. `scores` [candidates]."""
        return self._offers(candidates, scores, self._revenues(candidates, scores), places)

    def keys(self, candidates: Sequence[int], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the values by which `best` orders the candidates, highest first: [candidates], as `scores`.

        `scores` may also be [models, candidates]; then each model has a row.
        """
        return self._keys(scores, self._revenues(candidates, scores) if self._by_revenue else None)

    def _offers(
        self,
        candidates: Sequence[int],
        scores: NDArray[np.float64],
        revenues: NDArray[np.float64] | None,
        places: Sequence[int],
    ) -> tuple[RankedOffer, ...]:
        return tuple(
            RankedOffer(
                self._ids[candidates[place]],
                float(scores[place]),
                None if revenues is None or np.isnan(revenues[place]) else float(revenues[place]),
            )
            for place in places
        )

    def _keys(self, scores: NDArray[np.float64], revenues: NDArray[np.float64] | None) -> NDArray[np.float64]:
        if not self._by_revenue or revenues is None:
            return scores
        return np.where(np.isnan(revenues), -np.inf, revenues)

    def _revenues(self, candidates: Sequence[int], scores: NDArray[np.float64]) -> NDArray[np.float64] | None:
        if self._prices is None:
            return None
        revenues: NDArray[np.float64] = scores * self._prices[_index(candidates)]
        return revenues


def _index(candidates: Sequence[int]) -> slice | list[int]:
    if isinstance(candidates, range):
        return slice(candidates.start, candidates.stop)
    return list(candidates)


def highest(keys: NDArray[np.float64], limit: int) -> list[int]:
    """Returns the places of the highest `limit` of `keys`, highest first; ties in order. Does not sort the others."""
    if limit == 1:
        return [int(keys.argmax())]
    places = np.arange(len(keys))
    if limit < len(keys):
        least = np.partition(keys, -limit)[-limit]
        places = np.flatnonzero(keys >= least)
    best: list[int] = places[np.argsort(-keys[places], kind="stable")[:limit]].tolist()
    return best
