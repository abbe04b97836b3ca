"""Learns the CPU time of a row, to find the requests that are scored faster on the event loop than on a thread."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from model_worker.batch import Batch, Scored, Work

_FORGET = 1 / 16  # the share by which the estimate approaches a lower cost

# The engine scores these forms in different ways, so a row or pair of each has its own cost.
_Form: TypeAlias = Literal["rows", "all pairs", "picked pairs"]


class RowCosts:
    """The learned CPU time of a row, or of a pair of a factored request, in nanoseconds.

    An estimate is conservative: it is infinite before the first measurement, rises to a higher measurement at once, and
    falls slowly.
    """

    def __init__(self) -> None:
        self._row_ns: dict[_Form, float] = {}

    def estimate_ns(self, work: Work) -> float:
        """Returns the CPU time that the predict call for `work` probably takes."""
        return self._row_ns.get(_form(work), math.inf) * work.count

    def learn(self, batch: Batch) -> None:
        """Learns from the cost of each scored request."""
        for work, outcome in batch.outcomes:
            if isinstance(outcome, Scored):
                self._learn(_form(work), outcome.predict_ns / work.count)

    def _learn(self, form: _Form, row_ns: float) -> None:
        known_ns = self._row_ns.get(form, row_ns)
        self._row_ns[form] = max(row_ns, known_ns + _FORGET * (row_ns - known_ns))


def _form(work: Work) -> _Form:
    if work.pairs is None:
        return "rows"
    return "all pairs" if work.pairs.picks is None else "picked pairs"
