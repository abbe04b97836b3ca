"""The time that a model's replies take beyond the work in them, and when a reply is overdue."""

from __future__ import annotations

QUANTILE = 0.95
FIRST_GUESS_S = 0.005
SHORTEST_S, LONGEST_S = 0.0005, 1.0
STEP = 0.1
# A reply is overdue after twice the usual time, because a twentieth of the replies exceeds the 95th percentile itself:
# they would use up the budget of second tries before a replica freezes. The floor is above the pauses of a busy loop.
MARGIN = 2.0
FLOOR_S = 0.02


class ReplyDelay:
    """Learns the 95th percentile of the delay, the time from a message to its reply minus the work of its replica.

    Stochastic approximation (Robbins and Monro 1951): each delay above the estimate raises it by a share of itself,
    each delay below lowers it by a nineteenth of that. Only the order counts: one enormous delay changes little.
    """

    def __init__(self) -> None:
        self.p95_s = FIRST_GUESS_S

    def learn(self, reply_s: float, work_s: float) -> None:
        """Adds a reply after `reply_s`, to a message that had `work_s` of rows to wait for."""
        is_above = reply_s - work_s > self.p95_s
        change = STEP * (QUANTILE if is_above else QUANTILE - 1.0)
        self.p95_s = min(max(self.p95_s * (1.0 + change), SHORTEST_S), LONGEST_S)

    def limit_s(self, work_s: float) -> float:
        """Returns the time after which a reply is overdue."""
        return MARGIN * work_s + max(FLOOR_S, MARGIN * self.p95_s)
