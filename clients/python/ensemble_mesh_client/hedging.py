"""When to ask a second supervisor: after the learnt p95 of the time of an answer, within a budget."""

from __future__ import annotations

from collections import deque

WINDOW = 256  # answers from which the p95 is learnt
LEARN_EVERY = 32
MOST_SAVED = 10.0  # hedges that a quiet time may save for later
USELESS_COST = 8.0  # a hedge that is not answered first costs as much as 8 hedges that are


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
    """Allows hedges for `percent` of the requests if each is answered first, and for an eighth of that if none is.

    A hedge costs the second supervisor a read of the player, so hedges become rare while they do not help.
    """

    def __init__(self, percent: float) -> None:
        self._share = percent / 100
        self._tokens = 1.0 if percent > 0 else 0.0

    def record_request(self) -> None:
        """Counts a request."""
        self._tokens = min(MOST_SAVED, self._tokens + self._share)

    def take(self) -> bool:
        """Takes one hedge out of the budget; returns False if there is none."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def record_useless(self) -> None:
        """Another supervisor has answered before the hedge."""
        self._tokens -= USELESS_COST - 1
