"""The votes of a cohort as they come in, and the rows that travel for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.errors import Expired, MeshError, Unavailable
from supervisor.encoding import FactoredPart, RowMatrix


class Ballot:
    """The votes of a cohort as they come in: `votes` [models, rows], NaN where there is none (yet).

    `reasons` [models] says why a model's vote is missing, where that is known.
    """

    def __init__(self, models: Sequence[str], rows: int, quorum: int, on_quorum: Callable[[], None]) -> None:
        self.votes: NDArray[np.float64] = np.full((len(models), rows), np.nan)
        self.reasons: list[str | None] = [None] * len(models)
        self.last_model = ""
        self._models = models
        self._quorum = quorum
        self._on_quorum = on_quorum
        self._arrived = 0
        self._legs: list[Leg] = []

    def leg(self, index: int, matrix: RowMatrix, outputs: int, column: int, deadline_s: float) -> Leg:
        """Opens the leg of the model at `index`, whose replicas give `outputs` scores a row; `column` is its vote."""
        leg = Leg(self, index, matrix, outputs, column, deadline_s)
        self._legs.append(leg)
        return leg

    def settled(self, index: int, failure: MeshError | None) -> None:
        """A model's votes are complete, or will not be."""
        if failure is not None:
            self.reasons[index] = failure.reason
            return
        self.last_model = self._models[index]
        self._arrived += 1
        if self._arrived == self._quorum:
            self._on_quorum()

    def close(self) -> None:
        """Ends every leg that is still out: nobody waits for its votes any more."""
        for leg in self._legs:
            leg.settle(Expired("no vote in time"))
        self._legs.clear()


class Leg:
    """One model's part in one cohort's journey; `done` when every row has its vote, or with why not."""

    __slots__ = ("_ballot", "_column", "_index", "_left", "_outputs", "deadline_s", "done", "matrix")

    def __init__(
        self, ballot: Ballot, index: int, matrix: RowMatrix, outputs: int, column: int, deadline_s: float
    ) -> None:
        self.matrix = matrix
        self.deadline_s = deadline_s
        self.done: asyncio.Future[MeshError | None] = asyncio.get_running_loop().create_future()
        self._ballot = ballot
        self._index = index
        self._outputs = outputs
        self._column = column
        self._left = matrix.count

    def cast(self, start: int, stop: int, scores: NDArray[np.float64]) -> None:
        """Writes the votes of some rows down; late ones are dropped."""
        if self.done.done():
            return
        if len(scores) != (stop - start) * self._outputs:
            self.settle(Unavailable(f"the replica sent {len(scores)} scores for {stop - start} rows"))
            return
        votes = self._ballot.votes[self._index]
        votes[start:stop] = scores[self._column :: self._outputs]
        self._left -= stop - start
        if not self._left:
            self.settle(Unavailable("a score is NaN") if _has_nan(votes) else None)

    def settle(self, failure: MeshError | None) -> None:
        """Ends the leg; a second time is a no-op."""
        if not self.done.done():
            self.done.set_result(failure)
            self._ballot.settled(self._index, failure)


def _has_nan(votes: NDArray[np.float64]) -> bool:
    total = votes.sum()  # NaN where a vote is, and hardly ever else: a third of the price of asking each
    return bool(total != total and np.isnan(votes).any())


@dataclass(slots=True)
class Shipment:
    """Some rows of a leg, on their way to a replica or waiting for one."""

    leg: Leg
    start: int
    stop: int
    tries: int = 1

    @property
    def rows(self) -> int:
        """How many rows it carries."""
        return self.stop - self.start

    def plain(self) -> bytes:
        """The encoded rows."""
        return self.leg.matrix.plain(self.start, self.stop)

    def factored(self) -> FactoredPart | None:
        """The same in factored rows, where these are less."""
        return self.leg.matrix.factored(self.start, self.stop)

    def budget_s(self) -> float:
        """The time that is left for an answer."""
        return self.leg.deadline_s - time.monotonic()

    def is_wanted(self) -> bool:
        """Whether anybody still waits for its votes."""
        return not self.leg.done.done()

    def split(self, rows: int) -> Shipment:
        """Cuts off the first `rows`, or a few less, and keeps the rest."""
        cut = self.leg.matrix.cut(self.start, self.start + rows)
        first = Shipment(self.leg, self.start, cut, self.tries)
        self.start = cut
        return first
