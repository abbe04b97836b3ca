"""Learns the CPU time of requests, to find those that are scored faster on the event loop than on a thread."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from model_worker.batch import Batch, Scored, Work

_WEIGHT = 1 / 8  # of a new measurement

# The engine scores these forms in different ways, so a row or pair of each has its own cost.
_Form: TypeAlias = Literal["rows", "all pairs", "picked pairs"]


class RowCosts:
    """The smoothed CPU time of a row, or of a pair of a factored request, in nanoseconds.

    A row of a small request costs up to four times as much as a row of a large one, so there is an estimate for each
    power of two of the rows. It is infinite before the first measurement.
    """

    def __init__(self) -> None:
        self._row_ns: dict[tuple[_Form, int], float] = {}

    def estimate_ns(self, work: Work) -> float:
        """Returns the CPU time that the predict call for `work` probably takes."""
        return self._row_ns.get(_kind(work), math.inf) * work.count

    def learn(self, batch: Batch) -> None:
        """Learns from a batch of a single request: the cost of a row in a larger batch is lower."""
        if len(batch.outcomes) != 1:
            return
        work, outcome = batch.outcomes[0]
        if isinstance(outcome, Scored):
            kind, row_ns = _kind(work), outcome.predict_ns / work.count
            known_ns = self._row_ns.get(kind, row_ns)
            self._row_ns[kind] = known_ns + _WEIGHT * (row_ns - known_ns)


def _kind(work: Work) -> tuple[_Form, int]:
    return _form(work), work.count.bit_length()


def _form(work: Work) -> _Form:
    if work.pairs is None:
        return "rows"
    return "all pairs" if work.pairs.picks is None else "picked pairs"
