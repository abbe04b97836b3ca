"""The votes of a cohort, by version, and the shipments that carry its rows to the replicas."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Expired, MeshError, Unavailable
from supervisor.encoding import FactoredPart, RowMatrix
from supervisor.rows import CohortRows, RowPlan

if TYPE_CHECKING:
    from supervisor.lane_reply import ScoreReply
    from supervisor.tracing.cohort_trace import CohortTrace, MemberSpan

NO_VOTE = "no vote in time"  # the reason in an answer for a vote that is missing at the deadline


class Ballot:
    """Collects the votes of the requests of one version in a cohort.

    `votes` [models, rows] has NaN for a missing vote. Its rows are the rows of the cohort from `first` on. `reasons`
    [models] holds the reason of each missing vote, or None while the reason is not known. `files` [models] has the
    SHA-256 of the file that each model is asked with, or '' if it is not known, and `plans` [models] the row plan of
    that file, or None. `done` resolves when each model has voted or failed: the votes do not change after it. The rows
    of an `is_shadow` ballot have the lowest priority, and a model learns nothing from them about its replicas. `trace`
    is the trace of the cohort; None without traces.
    """

    def __init__(
        self,
        models: Sequence[str],
        rows: int,
        quorum: int,
        on_quorum: Callable[[], None],
        *,
        first: int = 0,
        is_shadow: bool = False,
    ) -> None:
        self.is_shadow = is_shadow
        self.votes: NDArray[np.float64] = np.full((len(models), rows), np.nan)
        self.first = first
        self.stop = first + rows
        self.reasons: list[str | None] = [None] * len(models)
        self.files = [""] * len(models)
        self.plans: list[RowPlan | None] = [None] * len(models)
        self.last_model = ""
        self.trace: CohortTrace | None = None
        self.is_closed = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.models = models
        self._quorum = quorum
        self._on_quorum = on_quorum
        self._arrived = 0
        self._pending = len(models)
        self._open: list[ModelVote] = []

    def add(self, vote: ModelVote) -> None:
        """Adds the vote of a model, which `close` ends."""
        self._open.append(vote)

    def record(self, index: int, failure: MeshError | None) -> None:
        """Records, once for each model, that the vote of the model at `index` is complete, or that it failed."""
        self._pending -= 1
        if failure is not None:
            self.reasons[index] = failure.reason
        else:
            self.last_model = self.models[index]
            self._arrived += 1
            if self._arrived == self._quorum:
                self._on_quorum()
        if not self._pending and not self.done.done():
            self.done.set_result(None)

    def close(self) -> None:
        """Ends every incomplete vote as expired, except the votes that another ballot waits for."""
        self.is_closed = True
        for vote in self._open:
            vote.expire()
        self._open.clear()


class Place(NamedTuple):
    """The place of a model in a ballot: `model` is its position in the panel, and its row in the votes."""

    ballot: Ballot
    model: int


class ModelVote:
    """The vote of one model on the rows of its `places`, cast in one or more parts.

    The ballots of `places` follow each other in the cohort; there are several if versions share the model. A row has
    `classes` scores; the vote is the score of `class_index`. `matrix` has the rows of `cohort` in the layout of one
    file; without `cohort`, the vote cannot be restarted. `done` resolves to None when every row has a score, or to the
    error if the vote failed. The supervisor only waits for the ballots; tests read the value.
    """

    __slots__ = (
        "_class_index",
        "_classes",
        "_places",
        "_rows_left",
        "cohort",
        "deadline_s",
        "done",
        "first",
        "is_hedged",
        "is_open",
        "is_shadow",
        "matrix",
        "stop",
        "trace",
    )

    def __init__(
        self,
        places: Sequence[Place],
        matrix: RowMatrix,
        classes: int,
        class_index: int,
        deadline_s: float,
        cohort: CohortRows | None = None,
    ) -> None:
        self.matrix = matrix
        self.cohort = cohort
        self.is_open = True
        self.first = places[0].ballot.first
        self.stop = places[-1].ballot.stop
        self.deadline_s = deadline_s
        self.is_shadow = places[0].ballot.is_shadow
        self.trace = places[0].ballot.trace
        self.is_hedged = False  # whether replicas may send the scores of a row twice
        self.done: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
        self._places = places
        self._classes = classes
        self._class_index = class_index
        self._rows_left = self.rows
        for place in places:
            place.ballot.add(self)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stop - self.first

    @property
    def model(self) -> str:
        """The name of the model."""
        ballot, model = self._places[0]
        return ballot.models[model]

    def cast(self, start: int, stop: int, scores: NDArray[np.float64]) -> None:
        """Records the scores of rows `start` to `stop` of the cohort.

        Drops them if the vote is settled or was restarted. If the rows have scores already, from another replica, the
        new scores are equal.
        """
        if not self.is_open:
            return
        if len(scores) != (stop - start) * self._classes:
            self.settle(Unavailable(f"the replica sent {len(scores)} scores for {stop - start} rows"))
            return
        given = scores[self._class_index :: self._classes]
        for ballot, model in self._places:
            first, last = max(start, ballot.first), min(stop, ballot.stop)
            if first < last:
                votes = ballot.votes[model, first - ballot.first : last - ballot.first]
                self._rows_left -= int(np.isnan(votes).sum()) if self.is_hedged else last - first
                votes[:] = given[first - start : last - start]
        if _has_nan(given):  # at once: a NaN would count again in the reply to a second try
            self.settle(Unavailable("a score is NaN"))
        elif not self._rows_left:
            self.settle(None)

    def settle(self, failure: MeshError | None) -> None:
        """Ends the vote; does nothing if it is settled already, or was restarted."""
        if not self.is_open:
            return
        self.is_open = False
        if not self.done.done():  # else the one who waited was cancelled
            self.done.set_result(failure)
            for ballot, model in self._places:
                ballot.record(model, failure)

    def restart(self, matrix: RowMatrix, plan: RowPlan, classes: int, sha256: str) -> ModelVote:
        """Returns this vote without scores, to be cast on `matrix` by another file of the model, that of `sha256`.

        `matrix` has the rows of the cohort in the layout of that file, `plan`. Later replies to the old vote are
        dropped.
        """
        self.is_open = False
        vote = ModelVote(self._places, matrix, classes, self._class_index, self.deadline_s, self.cohort)
        vote.done = self.done
        for ballot, model in self._places:
            ballot.votes[model] = np.nan
            ballot.files[model], ballot.plans[model] = sha256, plan
        return vote

    def expire(self) -> None:
        """Ends the vote as expired, once all its ballots are closed."""
        if all(place.ballot.is_closed for place in self._places):
            self.settle(Expired(NO_VOTE))


def rows_of(places: Sequence[Place]) -> int:
    """Returns the number of rows of all `places`."""
    return places[-1].ballot.stop - places[0].ballot.first


def refused(places: Sequence[Place], failure: MeshError) -> asyncio.Future[MeshError | None]:
    """Records that a model cannot vote at `places`, and returns its settled vote."""
    for ballot, model in places:
        ballot.record(model, failure)
    vote: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
    vote.set_result(failure)
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
    until the reply. `race` is None while no other shipment carries the rows. `span` is that of the last message with
    the rows, if traces are on.
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
    span: MemberSpan | None = None

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

    def begin_span(self, address: str) -> str:
        """Begins the span of the message to `address`; returns its parameter `traceparent`, or '' without one."""
        trace = self.vote.trace
        if trace is None:
            return ""
        self.span = trace.sent(self, address)
        return trace.parameter(self.span)

    def end_span(self, outcome: ScoreReply | MeshError) -> None:
        """Ends the span of the message."""
        if self.span is not None:
            self.span.end(self, outcome)

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
