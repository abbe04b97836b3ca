"""Combines the votes of an ensemble into one score per row, with the same bits in a batch and alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.version import Combine

Votes = NDArray[np.float64]  # [models, rows]
Scores = NDArray[np.float64]  # [rows]


def combine(rule: Combine, votes: Votes, weights: Sequence[float], requests: Sequence[slice]) -> Scores:
    """Returns one score per row [rows] from `votes` [models, rows], in catalog order.

    Only weighted_mean uses `weights` [models]. `requests` divides the rows by request: rank_mean ranks the rows of one
    request; the other kinds treat each row alone.
    """
    match rule.kind:
        case "mean":
            return _mean(votes)
        case "weighted_mean":
            return np.divide(_sum(votes * np.array(weights)[:, None]), sum(weights))
        case "median":
            return _middle(np.sort(votes, axis=0))
        case "trimmed_mean":
            drop = int(len(votes) * rule.trim)
            return _mean(np.sort(votes, axis=0)[drop : len(votes) - drop])
        case "rank_mean":
            return _mean(_ranks(votes, requests))
        case "vote":
            return _mean((votes >= rule.threshold).astype(np.float64))


def _mean(votes: Votes) -> Scores:
    mean: Scores = _sum(votes) / len(votes)
    return mean


def _sum(votes: Votes) -> Scores:
    # Adds one model after the other: the order in which numpy's own sum adds depends on the number of rows.
    total: Scores = votes[0].copy()
    for vote in votes[1:]:
        total += vote
    return total


def _middle(ordered: Votes) -> Scores:
    half = len(ordered) // 2
    return _mean(ordered[half : half + 1] if len(ordered) % 2 else ordered[half - 1 : half + 1])


def _ranks(votes: Votes, requests: Sequence[slice]) -> Votes:
    """Returns each vote's rank among the rows of its request, 0 (lowest) to 1; equal votes share their mean rank."""
    ranks = np.empty_like(votes)
    for vote, rank in zip(votes, ranks, strict=True):
        for request in requests:
            rows = vote[request]
            ordered = np.sort(rows)
            places = np.searchsorted(ordered, rows, "left") + np.searchsorted(ordered, rows, "right") - 1
            rank[request] = places / (2 * max(1, len(rows) - 1))
    return ranks
