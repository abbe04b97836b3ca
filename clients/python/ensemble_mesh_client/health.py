"""The health of one supervisor, as its answers show it. Times are monotonic, in seconds."""

from __future__ import annotations

STALL_FACTOR = 4.0  # a supervisor that answers nothing for this multiple of the p95 is stalled
SHORTEST_STALL_S, LONGEST_STALL_S = 0.025, 0.5
PROBE_S = 0.25  # a stalled supervisor gets a copy of a request so often
FAILURES = 5  # in a row, until a supervisor is ejected
FIRST_EJECTION_S, LONGEST_EJECTION_S = 1.0, 30.0


class Health:
    """Stalled: open requests, and no answer at all. Ejected: `FAILURES` requests in a row failed or got no answer."""

    def __init__(self) -> None:
        self.is_stalled = False
        self._answered_s = float("-inf")
        self._failures = 0
        self._ejections = 0
        self._ejected_until_s = float("-inf")
        self._probed_s = float("-inf")

    def is_ejected(self, now_s: float) -> bool:
        """Returns whether the supervisor gets no requests now."""
        return now_s < self._ejected_until_s

    def record_answer(self, now_s: float) -> None:
        """Any answer, also a late one, shows that the supervisor works."""
        self._answered_s = now_s
        self.is_stalled = False

    def record_success(self) -> None:
        """Ends the row of failures."""
        self._failures = self._ejections = 0

    def record_failure(self, now_s: float) -> None:
        """Counts a request that failed or got no answer before its deadline; ejects after `FAILURES` in a row."""
        self._failures += 1
        if self._failures >= FAILURES:
            pause_s = min(LONGEST_EJECTION_S, FIRST_EJECTION_S * 2**self._ejections)
            self._failures, self._ejections, self._ejected_until_s = 0, self._ejections + 1, now_s + pause_s

    def record_connection(self) -> None:
        """A new connection: the supervisor may be another process now."""
        self.is_stalled = False
        self._failures = 0
        self._ejected_until_s = float("-inf")

    def check_stall(self, now_s: float, oldest_s: float | None, p95_s: float) -> bool:
        """Returns whether the supervisor has stalled since the last check; its oldest request began at `oldest_s`."""
        if self.is_stalled or oldest_s is None:
            return False
        limit_s = min(LONGEST_STALL_S, max(SHORTEST_STALL_S, STALL_FACTOR * p95_s))
        self.is_stalled = now_s - max(oldest_s, self._answered_s) > limit_s
        self._probed_s = now_s
        return self.is_stalled

    def takes_probe(self, now_s: float) -> bool:
        """Returns whether the stalled supervisor should get a copy of the next request; counts it if so."""
        if not self.is_stalled or now_s - self._probed_s < PROBE_S:
            return False
        self._probed_s = now_s
        return True
