"""CPU budget: limits how often a cohort departs while another one is under way."""

from __future__ import annotations

from mesh.dealing import JOURNEYS_SHARE

MAX_JOURNEYS = 2


class CpuBudget:
    """A token bucket of CPU seconds. It fills by a share of the elapsed time and holds the cost of two journeys.

    All routes share one budget, but their journeys cost different amounts. Each call refills the budget and caps it at
    the cost of two journeys of its own `cost_s`: a call for a cheap journey lowers a budget that was saved for an
    expensive one.
    """

    def __init__(self, now_s: float) -> None:
        self._saved_s = 0.0
        self._refilled_s = now_s

    def wait_s(self, cost_s: float, now_s: float) -> float:
        """Returns the time from `now_s` until the budget covers a journey of `cost_s`; 0 if it does now.

        Refills and caps the budget, as `spend` does.
        """
        self._refill(cost_s, now_s)
        return max(0.0, cost_s - self._saved_s) / JOURNEYS_SHARE

    def spend(self, cost_s: float, now_s: float) -> None:
        """Takes `cost_s` out of the budget, or all of it if it holds less: the budget is never negative."""
        self._refill(cost_s, now_s)
        self._saved_s = max(0.0, self._saved_s - cost_s)

    def _refill(self, cost_s: float, now_s: float) -> None:
        earned_s = (now_s - self._refilled_s) * JOURNEYS_SHARE
        self._saved_s = min(self._saved_s + earned_s, MAX_JOURNEYS * cost_s)
        self._refilled_s = now_s
