"""The votes of a cohort, and the shipments that carry its rows to the replicas."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Expired, MeshError, Unavailable
from supervisor.encoding import FactoredPart, RowMatrix
from supervisor.rows import RowPlan

Layout = Callable[[RowPlan], RowMatrix]
NO_VOTE = "no vote in time"  # the reason in an answer for a vote that is missing at the deadline


class Ballot:
    """Collects the votes of a cohort in `votes` [models, rows]; NaN marks a missing vote.

    `reasons` [models] holds the reason of each missing vote, or None while the reason is not known. The rows of a
    `is_shadow` ballot have the lowest priority, and a model learns nothing from them about its replicas.
    """

    def __init__(
        self,
        models: Sequence[str],
        rows: int,
        quorum: int,
        on_quorum: Callable[[], None],
        *,
        is_shadow: bool = False,
    ) -> None:
        self.is_shadow = is_shadow
        self.votes: NDArray[np.float64] = np.full((len(models), rows), np.nan)
        self.reasons: list[str | None] = [None] * len(models)
        self.last_model = ""
        self._models = models
        self._quorum = quorum
        self._on_quorum = on_quorum
        self._arrived = 0
        self._open: list[ModelVote] = []

    def open_vote(
        self,
        index: int,
        matrix: RowMatrix,
        classes: int,
        class_index: int,
        deadline_s: float,
        layout: Layout | None = None,
    ) -> ModelVote:
        """Opens the vote of the model at `index`.

        A row has `classes` scores; the vote is the score of `class_index`. `layout` returns the rows in another layout
        than that of `matrix`.
        """
        vote = ModelVote(self, index, matrix, classes, class_index, deadline_s, layout)
        self._open.append(vote)
        return vote

    def reopen_vote(self, index: int, vote: ModelVote) -> None:
        """Drops the scores of the model at `index`, and opens its `vote` instead."""
        self.votes[index] = np.nan
        self._open.append(vote)

    def record(self, index: int, failure: MeshError | None) -> None:
        """Records that the vote of the model at `index` is complete, or that it failed."""
        if failure is not None:
            self.reasons[index] = failure.reason
            return
        self.last_model = self._models[index]
        self._arrived += 1
        if self._arrived == self._quorum:
            self._on_quorum()

    def close(self) -> None:
        """Ends every incomplete vote as expired."""
        for vote in self._open:
            vote.settle(Expired(NO_VOTE))
        self._open.clear()


class ModelVote:
    """The vote of one model on all rows of a cohort, cast in one or more parts.

    `done` resolves to None when every row has a score, or to the error if the vote failed. The supervisor only waits
    for it, because the ballot has the votes and the reasons; tests read its value.
    """

    __slots__ = (
        "_ballot",
        "_class_index",
        "_classes",
        "_index",
        "_rows_left",
        "deadline_s",
        "done",
        "is_hedged",
        "is_open",
        "is_shadow",
        "layout",
        "matrix",
    )

    def __init__(
        self,
        ballot: Ballot,
        index: int,
        matrix: RowMatrix,
        classes: int,
        class_index: int,
        deadline_s: float,
        layout: Layout | None = None,
    ) -> None:
        self.matrix = matrix
        self.layout = layout
        self.deadline_s = deadline_s
        self.is_open = True
        self.is_shadow = ballot.is_shadow
        self.is_hedged = False  # whether replicas may send the scores of a row twice
        self.done: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
        self._ballot = ballot
        self._index = index
        self._classes = classes
        self._class_index = class_index
        self._rows_left = matrix.count

    def cast(self, start: int, stop: int, scores: NDArray[np.float64]) -> None:
        """Records the scores of rows `start` to `stop`; drops them if the vote is settled or was restarted.

        If the rows have scores already, from another replica, the new scores are equal.
        """
        if not self.is_open:
            return
        if len(scores) != (stop - start) * self._classes:
            self.settle(Unavailable(f"the replica sent {len(scores)} scores for {stop - start} rows"))
            return
        votes = self._ballot.votes[self._index]
        self._rows_left -= int(np.isnan(votes[start:stop]).sum()) if self.is_hedged else stop - start
        votes[start:stop] = scores[self._class_index :: self._classes]
        if _has_nan(votes[start:stop]):  # at once: a NaN would count again in the reply to a second try
            self.settle(Unavailable("a score is NaN"))
        elif not self._rows_left:
            self.settle(None)

    def settle(self, failure: MeshError | None) -> None:
        """Ends the vote; does nothing if it is settled already, was restarted, or if nobody waits for it any more."""
        if self.is_open:
            self.is_open = False
            if not self.done.done():
                self.done.set_result(failure)
                self._ballot.record(self._index, failure)

    def restart(self, matrix: RowMatrix, classes: int) -> ModelVote:
        """Returns this vote without scores, to be cast on `matrix` by another file of the model.

        `matrix` has the same rows in the layout of that file. Later replies to this vote are dropped.
        """
        self.is_open = False
        vote = ModelVote(self._ballot, self._index, matrix, classes, self._class_index, self.deadline_s, self.layout)
        vote.done = self.done
        self._ballot.reopen_vote(self._index, vote)
        return vote


def _has_nan(votes: NDArray[np.float64]) -> bool:
    total = votes.sum()  # NaN if a vote is NaN, and rarely otherwise; costs a third of a test of each vote
    return bool(total != total and np.isnan(votes).any())


@dataclass(slots=True)
class Race:
    """The shipments that carry the same rows to several replicas: the first reply counts."""

    under_way: int
    has_first_reply: bool = False  # from the replica that received the rows first


@dataclass(slots=True, eq=False)
class Shipment:
    """Rows `start` to `stop` of a model's vote: queued, or sent to a replica in one message.

    `tries` counts the times that the rows were sent, this one included. While `Hedging` watches the shipment, `sent_s`
    and `due_s` (monotonic) are when it was sent and when its reply is overdue, and `work_s` is the work of its replica
    until the reply. `race` is None while no other shipment carries the rows.
    """

    vote: ModelVote
    start: int
    stop: int
    tries: int = 1
    race: Race | None = None
    is_second_try: bool = False
    sent_s: float = 0.0
    work_s: float = 0.0
    due_s: float = math.inf

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stop - self.start

    def plain(self) -> bytes:
        """The encoded plain rows."""
        return self.vote.matrix.plain(self.start, self.stop)

    def factored(self) -> FactoredPart | None:
        """The encoded factored rows; None if the rows have no factored form."""
        return self.vote.matrix.factored(self.start, self.stop)

    def budget_s(self) -> float:
        """The time left until the deadline of the vote, in seconds."""
        return self.vote.deadline_s - time.monotonic()

    def is_wanted(self) -> bool:
        """Whether the vote is still open, and the rows were not scored by another replica."""
        if not self.vote.is_open:
            return False
        return not self.is_second_try or self.race is None or not self.race.has_first_reply

    def split(self, rows: int) -> Shipment:
        """Cuts off the first `rows`, or a few less, and keeps the remainder."""
        cut = self.vote.matrix.cut(self.start, self.start + rows)
        first = Shipment(self.vote, self.start, cut, self.tries, self.race, self.is_second_try)
        if self.race is not None:
            self.race.under_way += 1
        self.start = cut
        return first

    def second_try(self) -> Shipment:
        """Returns a shipment that carries the same rows to another replica, while this one is under way."""
        self.race = Race(under_way=2)
        self.vote.is_hedged = True
        return Shipment(self.vote, self.start, self.stop, self.tries + 1, self.race, is_second_try=True)

    def finish(self) -> bool:
        """Records that this shipment is under way no more; returns whether no other one carries its rows."""
        if self.race is None:
            return True
        self.race.under_way -= 1
        return self.race.under_way == 0
