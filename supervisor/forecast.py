"""Forecasts the time of a journey from its number of rows and the journeys before."""

from __future__ import annotations

import math

LEARNING_WEIGHT = 0.2
# A cohort with more than REACH times the usual rows is beyond what the journeys before show: it is forecast as if it
# had REACH times the usual rows.
REACH = 3.0
GROWTH = 2.0
CAUTION = 2.0  # `at_most_s` adds this multiple of the usual error to the expected time
CONGESTED = 2.0  # an answer that takes more than this multiple of the quickest journey is late because of load


class Forecast:
    """A least-squares line of time over rows, through the journeys before; older journeys weigh less.

    Optimistic where nothing is known: 0 before the first journey, flat beyond `REACH` times the usual rows.
    """

    def __init__(self) -> None:
        self._mean_rows = 0.0
        self._mean_journey_s = 0.0
        self._rows_variance = 0.0
        self._covariance = 0.0
        self._error_s = 0.0
        self._quickest_s = math.inf
        self._weight = 1.0  # of the first journey; then LEARNING_WEIGHT

    def learn(self, rows: int, journey_s: float) -> None:
        """Adds a journey that has returned."""
        if self._weight < 1.0:
            self._error_s += self._weight * (abs(journey_s - self.journey_s(rows)) - self._error_s)
        off_rows, off_s = rows - self._mean_rows, journey_s - self._mean_journey_s
        kept = 1.0 - self._weight
        # West 1979, Communications of the ACM 22(9): moments with fading weights, in one pass.
        self._mean_rows += self._weight * off_rows
        self._mean_journey_s += self._weight * off_s
        self._rows_variance = kept * (self._rows_variance + self._weight * off_rows * off_rows)
        self._covariance = kept * (self._covariance + self._weight * off_rows * off_s)
        self._quickest_s = min(self._quickest_s, journey_s)
        self._weight = LEARNING_WEIGHT

    def journey_s(self, rows: float) -> float:
        """Returns the expected time from departure to return; 0 before the first journey."""
        return self._mean_journey_s + self._row_s() * (min(rows, REACH * self._mean_rows) - self._mean_rows)

    def is_congested(self, answer_s: float) -> bool:
        """Returns whether an answer after `answer_s` is late because of load.

        Such an answer takes more than `CONGESTED` times the quickest journey.
        """
        return answer_s > self.congested_s

    @property
    def congested_s(self) -> float:
        """The longest answer that is not late because of load; infinite before the first journey."""
        return CONGESTED * self._quickest_s

    def rows_within(self, time_s: float) -> float:
        """Returns the largest number of rows of a journey that is expected to take at most `time_s`.

        At most `GROWTH` times the usual rows; infinite before the first journey. If the journeys do not show that more
        rows take more time, the usual journey is shortened or extended in proportion.
        """
        if not self._mean_journey_s:
            return math.inf
        row_s = self._row_s() or self._mean_journey_s / self._mean_rows
        return min(self._mean_rows + (time_s - self._mean_journey_s) / row_s, GROWTH * self._mean_rows)

    def at_most_s(self, rows: float) -> float:
        """Returns a time that few journeys exceed: the expected time plus `CAUTION` times the usual error.

        After Jacobson 1988, "Congestion Avoidance and Control". Half of the journeys exceed the expected time itself.
        """
        return self.journey_s(rows) + CAUTION * self._error_s

    def _row_s(self) -> float:
        if self._covariance <= 0.0 or self._rows_variance <= 0.0:
            return 0.0
        # At most the slope at which a journey of 0 rows takes 0 s: a steeper line gives negative times.
        return min(self._covariance / self._rows_variance, self._mean_journey_s / self._mean_rows)
