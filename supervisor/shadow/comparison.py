"""Compares the scores of a shadow with those of the answers: best offers, order of the offers, distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]  # [requests, candidates]


class Distribution:
    """A histogram of values: `counts` [edges + 1] by upper edge, the last one infinite, and their `total`."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = tuple(edges)
        self.counts: NDArray[np.int64] = np.zeros(len(edges) + 1, np.int64)
        self.total = 0.0
        self._edges = np.array(edges)

    def add(self, values: NDArray[np.float64]) -> None:
        """Adds `values`; ignores NaN."""
        values = values[~np.isnan(values)]
        places = np.searchsorted(self._edges, values, "left")
        self.counts += np.bincount(places, minlength=len(self.counts))
        self.total += float(values.sum())


def same_best(first: Matrix, second: Matrix) -> int:
    """Returns the number of requests whose best candidate is the same in both; of equal ones, the first is best."""
    return int((first.argmax(axis=1) == second.argmax(axis=1)).sum())


def rank_correlations(first: Matrix, second: Matrix) -> NDArray[np.float64]:
    """Returns Spearman's rank correlation of each request [requests]; NaN if all candidates of one side are equal."""
    one, other = (ranks(keys) - (keys.shape[1] - 1) / 2 for keys in (first, second))
    spread = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: NDArray[np.float64] = np.where(spread > 0, (one * other).sum(axis=1) / spread, np.nan)
    return np.clip(result, -1.0, 1.0)


def ranks(keys: Matrix) -> Matrix:
    """Returns the rank of each candidate within its request, from 0; equal keys share their mean rank."""
    count = keys.shape[1]
    order = np.argsort(keys, axis=1, kind="stable")
    ordered = np.take_along_axis(keys, order, axis=1)
    begins = np.ones(keys.shape, bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(keys.shape, bool)
    ends[:, :-1] = begins[:, 1:]
    places = np.arange(count)
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, count)[:, ::-1], axis=1)[:, ::-1]
    result = np.empty(keys.shape)
    np.put_along_axis(result, order, (first + last) / 2, axis=1)
    return result
