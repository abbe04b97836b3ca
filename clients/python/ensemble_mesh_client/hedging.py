"""When to ask a second supervisor: after the learnt p95 of the time of an answer, within a budget."""

from __future__ import annotations

from collections import deque

WINDOW = 256  # answers from which the p95 is learnt
LEARN_EVERY = 32
MOST_SAVED = 10.0  # hedges that a quiet time may save for later


class AnswerTimes:
    """Learns the p95 of the time of an answer, in seconds; `first_s` until there are enough answers."""

    def __init__(self, first_s: float) -> None:
        self.p95_s = first_s
        self._times_s: deque[float] = deque(maxlen=WINDOW)
        self._until_learning = LEARN_EVERY

    def record(self, time_s: float) -> None:
        """Records the time of one answer."""
        self._times_s.append(time_s)
        self._until_learning -= 1
        if not self._until_learning:
            self._until_learning = LEARN_EVERY
            times_s = sorted(self._times_s)
            self.p95_s = times_s[int(0.95 * len(times_s))]


class HedgeBudget:
    """Allows hedges for `percent` of the requests."""

    def __init__(self, percent: float) -> None:
        self._share = percent / 100
        self._tokens = 1.0

    def record_request(self) -> None:
        """Counts a request."""
        self._tokens = min(MOST_SAVED, self._tokens + self._share)

    def take(self) -> bool:
        """Takes one hedge out of the budget; returns False if there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
