"""The order of the offers by the rule of the catalog, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def revenues_of(scores: Sequence[float], prices: Sequence[float]) -> list[float]:
    """Returns the expected revenues: score x price, NaN for an offer without a price."""
    return [score * price for score, price in zip(scores, prices, strict=True)]


def ranking_keys(scores: Sequence[float], prices: Sequence[float] | None, rank_by: str | None) -> list[float]:
    """Returns the values that rank the offers, the highest first: an offer without a price has the lowest value.

    `prices` [offers] has NaN for an offer without a price; without `prices`, the scores rank the offers.
    """
    if rank_by != "expected_revenue" or prices is None:
        return list(scores)
    return [-math.inf if math.isnan(revenue) else revenue for revenue in revenues_of(scores, prices)]


def ranked(keys: Sequence[float]) -> list[int]:
    """Returns the positions of the offers, best first; ties are in their order."""
    return sorted(range(len(keys)), key=lambda position: -keys[position])
