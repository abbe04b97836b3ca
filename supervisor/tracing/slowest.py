"""The slowest answers of a version: a running estimate of a quantile of their times."""

from __future__ import annotations

SHARE = 0.01
STEP = 0.1


class Slowest:
    """Reports the slowest `SHARE` of the times.

    Each time above the estimate raises it by `STEP` of itself, and each time below lowers it by as much as keeps it
    still if `SHARE` of the times are above (Robbins and Monro, 1951). It needs no memory of the times, and follows
    a change of the load within some hundred answers.
    """

    __slots__ = ("_limit_s",)

    def __init__(self) -> None:
        self._limit_s = 0.0

    def is_slow(self, time_s: float) -> bool:
        """Returns whether an answer in `time_s` is one of the slowest, and learns from it."""
        if not self._limit_s:
            self._limit_s = time_s  # the first answer: nothing to compare it with
            return False
        is_slow = time_s > self._limit_s
        self._limit_s *= 1 + STEP * (1 - SHARE) if is_slow else 1 - STEP * SHARE
        return is_slow
