"""Bins: divides numbers at the quantiles of the training, and categories by their frequency in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mesh.category_lists import Category

QUANTILES = 10  # the usual bounds of the PSI are for about ten bins of equal size
MAX_CATEGORIES = 50
MIN_SHARE = 0.005  # a category that is rarer joins the others: a few requests must not look like drift
# The training often has float32, the requests float64. A bin also contains the values that are so close above its edge.
ROUNDING = 1e-6

Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


def edges_of(values: Numbers) -> tuple[float, ...]:
    """Returns the edges of the bins of `values`, which have no NaN: their finite deciles, each one time.

    Bin i contains the values above edge i-1, up to and including edge i; one more bin is above the last edge. The
    quantiles are exact values of the training, so a value that is frequent, such as 0, has an edge. If it is the
    smallest one, it gets a bin of its own: smaller values are in the bin below.
    """
    if not len(values):
        return ()
    shares = np.arange(1, QUANTILES) / QUANTILES
    edges = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    edges = edges[np.isfinite(edges)]
    if not len(edges):
        return ()
    with np.errstate(over="ignore"):
        widened = np.minimum(edges + np.abs(edges) * ROUNDING, np.finfo(np.float64).max)
    lowest = float(values.min())
    if edges[0] == lowest:
        below = np.nextafter(lowest - abs(lowest) * ROUNDING, -np.inf)
        widened = np.concatenate(([below], widened))
    return tuple(widened.tolist())


def places_of_numbers(values: Numbers, edges: Numbers) -> Places:
    """Returns the bins of `values` [rows, columns]; NaN is in bin 0. `edges` [columns, edges] ends with infinities."""
    found: Places = (values[:, :, None] > edges[None, :, :]).sum(axis=2)
    return found


def padded(edges: Sequence[Sequence[float]]) -> Numbers:
    """Returns the edges of several columns as a matrix [columns, edges], filled up with infinity."""
    width = max((len(one) for one in edges), default=0)
    result = np.full((len(edges), width), np.inf)
    for row, one in zip(result, edges, strict=True):
        row[: len(one)] = one
    return result


def frequent(counts: Mapping[Category, int]) -> tuple[Category, ...]:
    """Returns the categories that get a bin of their own, the most frequent first."""
    total = sum(counts.values())
    ordered = Counter(dict(counts)).most_common(MAX_CATEGORIES)
    return tuple(value for value, count in ordered if count and count >= MIN_SHARE * total)
