"""Counting a ballot: which models voted on which rows, and the combined score of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.catalog import Version
from supervisor.combine import combine

NO_VOTE = "no vote in time"


@dataclass(frozen=True, slots=True)
class Tally:
    """One request's result: its rows' combined scores [rows] (None without any vote) and who is not in them."""

    scores: NDArray[np.float64] | None
    votes: int
    missing: tuple[tuple[str, str], ...]  # (model, reason)


def count(
    version: Version, votes: NDArray[np.float64], reasons: Sequence[str | None], requests: Sequence[slice]
) -> list[Tally]:
    """One tally for each of `requests` (slices of the rows of `votes` [models, rows], NaN: no vote).

    A model counts for a request when it voted on all of the request's rows. `reasons` [models] says why a vote is
    missing, where that is known.
    """
    present = ~np.isnan(votes)
    whole: NDArray[np.bool_] = np.all(present, axis=1)
    alone = len(requests) == 1 and requests[0] == slice(0, votes.shape[1])
    if not alone and not np.array_equal(whole, np.any(present, axis=1)):
        return [count(version, votes[:, rows], reasons, [slice(0, rows.stop - rows.start)])[0] for rows in requests]
    voters = np.flatnonzero(whole)
    missing = tuple(
        (model.name, reasons[position] or NO_VOTE)
        for position, model in enumerate(version.models)
        if not whole[position]
    )
    if not len(voters):
        return [Tally(None, 0, missing)] * len(requests)
    weights = [version.models[position].weight for position in voters]
    scores = combine(version.combine, votes[voters] if missing else votes, weights, requests)
    return [Tally(scores[rows], len(voters), missing) for rows in requests]
