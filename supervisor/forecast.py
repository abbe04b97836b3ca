"""How long a journey of so many rows will take, learnt from those that have returned."""

from __future__ import annotations

import math

LEARNING_WEIGHT = 0.2
# Nothing is known of cohorts more than so much larger than the usual: they count as if they were no larger.
REACH = 3.0
CAUTION = 2.0
CONGESTED = 2.0


class Forecast:
    """The line through the latest journeys, time over rows, by least squares whose weights fade.

    Optimistic where it knows nothing: before the first journey, and beyond `REACH` times the usual rows.
    """

    def __init__(self) -> None:
        self._rows = 0.0
        self._journey_s = 0.0
        self._rows_variance = 0.0
        self._covariance = 0.0
        self._error_s = 0.0
        self._quickest_s = math.inf
        self._weight = 1.0  # the first journey is all there is

    def learn(self, rows: int, journey_s: float) -> None:
        """Takes in a journey that returned."""
        if self._weight < 1.0:
            self._error_s += self._weight * (abs(journey_s - self.journey_s(rows)) - self._error_s)
        off_rows, off_s = rows - self._rows, journey_s - self._journey_s
        kept = 1.0 - self._weight
        # West 1979, Communications of the ACM 22(9): moments with fading weights, in one pass.
        self._rows += self._weight * off_rows
        self._journey_s += self._weight * off_s
        self._rows_variance = kept * (self._rows_variance + self._weight * off_rows * off_rows)
        self._covariance = kept * (self._covariance + self._weight * off_rows * off_s)
        self._quickest_s = min(self._quickest_s, journey_s)
        self._weight = LEARNING_WEIGHT

    def journey_s(self, rows: int) -> float:
        """The expected time from departure to return; 0 while nothing is known."""
        return self._journey_s + self._row_s() * (min(rows, REACH * self._rows) - self._rows)

    def is_congested(self, answer_s: float) -> bool:
        """Whether an answer after `answer_s` would be late for want of capacity: twice what it took at the quickest."""
        return answer_s > CONGESTED * self._quickest_s

    def at_most_s(self, rows: int) -> float:
        """What a journey rarely exceeds: the expected time and as much again as forecasts are usually wrong by.

        After Jacobson 1988, "Congestion Avoidance and Control": a mean alone would be late half the time.
        """
        return self.journey_s(rows) + CAUTION * self._error_s

    def _row_s(self) -> float:
        if self._covariance <= 0.0 or self._rows_variance <= 0.0:
            return 0.0
        # A journey of no rows takes no less than no time.
        return min(self._covariance / self._rows_variance, self._journey_s / self._rows)
