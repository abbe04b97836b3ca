"""Counts the votes of a ballot: which models voted for each request, and the combined score of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.version import Version
from supervisor.ballot import NO_VOTE
from supervisor.combine import Scores, Votes, combine


@dataclass(frozen=True, slots=True)
class VoteCount:
    """The counted votes of one request.

    `scores` [rows] are the combined scores, None if no model voted. `voters` is the number of models that voted;
    `missing` has a pair (model, reason) for each of the other models.
    """

    scores: Scores | None
    voters: int
    missing: tuple[tuple[str, str], ...]


def count_votes(
    version: Version, votes: Votes, reasons: Sequence[str | None], requests: Sequence[slice]
) -> list[VoteCount]:
    """Returns the count of each of `requests`: slices of the rows of `votes` [models, rows].

    A NaN in `votes` means that the model did not vote. A model counts for a request if it voted on every row of the
    request. `reasons` [models] says why a vote is missing, or None if that is unknown.
    """
    present = ~np.isnan(votes)
    complete: NDArray[np.bool_] = np.all(present, axis=1)
    is_alone = len(requests) == 1 and requests[0] == slice(0, votes.shape[1])
    if not is_alone and not np.array_equal(complete, np.any(present, axis=1)):
        return [
            count_votes(version, votes[:, rows], reasons, [slice(0, rows.stop - rows.start)])[0] for rows in requests
        ]
    voters = np.flatnonzero(complete)
    missing = tuple(
        (model.name, reasons[position] or NO_VOTE)
        for position, model in enumerate(version.voters)
        if not complete[position]
    )
    if not len(voters):
        return [VoteCount(None, 0, missing)] * len(requests)
    weights = [version.voters[position].weight for position in voters]
    scores = combine(version.combine, votes[voters] if missing else votes, weights, requests)
    return [VoteCount(scores[rows], len(voters), missing) for rows in requests]
