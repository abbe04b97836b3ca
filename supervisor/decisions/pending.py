"""Answers that wait for their block: references only, so that a request costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from supervisor.answers import Answer
from supervisor.decisions.version_log import VersionLog
from supervisor.outcomes.outcome import Outcome
from supervisor.party import Seat, Settled
from supervisor.rows import CohortRows, RowPlan
from supervisor.ticket import Ticket
from supervisor.vote_count import VoteCount

REQUEST_BYTES = 2048  # of a ticket, its answer and the text of its columns, roughly


class Voted(NamedTuple):
    """Requests of a party, with the votes that made their answers.

    `seats`, `counts` and `answers` belong together. `rows` has the rows of the whole party. `votes` [models, rows]
    begins at row `first` of the party. `files` and `plans` [models] are those that the models were asked with.
    """

    log: VersionLog
    seats: Sequence[Seat]
    counts: Sequence[VoteCount]
    answers: Sequence[Answer]
    rows: CohortRows
    votes: NDArray[np.float64]
    first: int
    files: tuple[str, ...]
    plans: tuple[RowPlan | None, ...]

    @property
    def size_bytes(self) -> int:
        """The memory that the requests keep, roughly."""
        rows = self.rows.size_bytes * len(self.seats) // max(1, len(self.rows.passengers))  # others keep the rest
        return self.votes.nbytes + rows + REQUEST_BYTES * len(self.seats)


class Unvoted(NamedTuple):
    """A request that got the fallback before a model was asked."""

    log: VersionLog
    ticket: Ticket
    answer: Answer


@dataclass(slots=True)
class Pending:
    """What one game has to log, and roughly its memory."""

    voted: list[Voted] = field(default_factory=list)
    unvoted: list[Unvoted] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    size_bytes: int = 0
    requests: int = 0  # of `voted`

    @property
    def records(self) -> int:
        """The number of answers and outcomes."""
        return sum(len(one.seats) for one in self.voted) + len(self.unvoted) + len(self.outcomes)


def voted_of(log: VersionLog, settled: Settled) -> Voted:
    """Returns the votes of answered requests. Copies those that may still change: a late vote is not in the answers."""
    ballot, seats = settled.ballot, settled.seats
    votes, first = ballot.votes, 0
    if not ballot.done.done():
        first = seats[0].span.start
        votes = votes[:, first : seats[-1].span.stop].copy()
    files, plans = tuple(ballot.files), tuple(ballot.plans)
    return Voted(log, seats, settled.counts, settled.answers, settled.rows, votes, first, files, plans)
