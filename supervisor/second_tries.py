"""The budget of second tries: how many rows a model may send again, for whatever reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# The share is the extra load that the replicas of a model get at most (Dean and Barroso, "The Tail at Scale", hedge the
# slowest 5 %). Without a limit, second tries would multiply the load of replicas that are slow because of load.
SHARE = 0.05
# One shipment in this time may always be sent again: 5 % of a low rate is less than one shipment.
FLOOR_S = 1.0
# Unused budget is kept for the work of some lanes that fail at the same time, but not for more.
BURST_S = 0.1
MIN_BURST_ROWS = 64.0


class SecondTryBudget:
    """A token bucket of rows: each first try adds `SHARE` of its rows, each second try takes its rows.

    One second try every `FLOOR_S` is allowed without tokens and leaves a debt, so that the long-term share is kept
    unless the model has very few rows. `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens = MIN_BURST_ROWS
        self._floor_due_s = clock()

    def earn(self, rows: int, row_s: float) -> None:
        """Records a first try of `rows`, each of which takes `row_s` (seconds)."""
        self._tokens = min(self._tokens + SHARE * rows, max(MIN_BURST_ROWS, BURST_S / row_s))

    def spend(self, rows: int) -> bool:
        """Returns whether `rows` may be sent again, and takes them out of the budget if so."""
        if self._tokens < rows:
            now_s = self._clock()
            if now_s < self._floor_due_s:
                return False
            self._floor_due_s = now_s + FLOOR_S
        self._tokens = max(self._tokens - rows, -MIN_BURST_ROWS)
        return True


@dataclass(slots=True)
class SecondTries:
    """The budget of a model's second tries, and the counts of rows and wins so far."""

    budget: SecondTryBudget
    overdue_rows: int = 0  # sent again because their reply was overdue
    failed_rows: int = 0  # sent again because their replica was lost or refused them
    wins: int = 0  # second tries that were answered before the first
