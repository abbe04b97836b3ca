"""Token bucket: at most `burst` requests at once, and `per_s` requests a second in the long run."""

from __future__ import annotations


class TokenBucket:
    """Is full at first. In any t seconds, it gives at most `burst` + `per_s` * t tokens.

    Times are seconds of a monotonic clock; a time before the last one counts as the last one.
    """

    __slots__ = ("_filled_s", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s = per_s
        self.burst = burst
        self._tokens = burst
        self._filled_s: float | None = None

    def take(self, now_s: float) -> float:
        """Takes a token and returns 0; without a token, returns the seconds until there is one."""
        filled_s = now_s if self._filled_s is None else self._filled_s
        if now_s > filled_s:
            self._tokens = min(self.burst, self._tokens + (now_s - filled_s) * self.per_s)
        self._filled_s = max(filled_s, now_s)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.per_s
