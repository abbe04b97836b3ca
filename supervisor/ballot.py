"""The votes of a cohort, by version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Expired, MeshError, Unavailable
from supervisor.encoding import RowMatrix
from supervisor.rows import CohortRows, RowPlan

if TYPE_CHECKING:
    from supervisor.tracing.cohort_trace import CohortTrace

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
