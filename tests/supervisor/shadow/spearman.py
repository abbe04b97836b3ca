"""Spearman's rank correlation in plain Python, as a reference."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean_ranks(keys: Sequence[float]) -> list[float]:
    """Returns the rank of each key, from 0; equal keys share their mean rank."""
    return [sum(other < key for other in keys) + (sum(other == key for other in keys) - 1) / 2 for key in keys]


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the correlation of the ranks; NaN if all keys of one side are equal."""
    one, other = ([rank - (len(first) - 1) / 2 for rank in mean_ranks(keys)] for keys in (first, second))
    spread = math.sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / spread if spread else math.nan
