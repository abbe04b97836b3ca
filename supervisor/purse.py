"""What pays for a cohort that departs while another is under way."""

from __future__ import annotations

EARNED_CPU_SHARE = 0.5
PURSE_JOURNEYS = 2


class Purse:
    """A token bucket of CPU seconds: earns a share of the time, pays for journeys, holds the price of two."""

    def __init__(self, now_s: float) -> None:
        self._saved_s = 0.0
        self._counted_s = now_s

    def short_s(self, price_s: float, now_s: float) -> float:
        """How long from `now_s` until a journey of `price_s` can be paid; 0 when it can be now."""
        self._earn(price_s, now_s)
        return max(0.0, price_s - self._saved_s) / EARNED_CPU_SHARE

    def pay(self, price_s: float, now_s: float) -> None:
        """Takes out the price, or what there is: a journey that departs for want of others is never in debt."""
        self._earn(price_s, now_s)
        self._saved_s = max(0.0, self._saved_s - price_s)

    def _earn(self, price_s: float, now_s: float) -> None:
        earned_s = (now_s - self._counted_s) * EARNED_CPU_SHARE
        self._saved_s = min(self._saved_s + earned_s, PURSE_JOURNEYS * price_s)
        self._counted_s = now_s
