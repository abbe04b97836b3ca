"""Exponential back-off with jitter, so that many clients do not retry at the same moment."""

from __future__ import annotations

from collections.abc import Callable

Uniform = Callable[[float, float], float]  # random.uniform, or the one of a test
MAX_DOUBLINGS = 30


class BackOff:
    """Pauses between retries: the longest possible pause doubles from `first_s` up to `cap_s`.

    Each pause is uniform in [(1 - jitter) * longest, longest]. A jitter of 1 is "full jitter" (M. Brooker,
    "Exponential Backoff And Jitter").
    """

    def __init__(self, first_s: float, cap_s: float, uniform: Uniform, jitter: float = 0.5) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._uniform = uniform
        self._jitter = jitter
        self._failures = 0

    @property
    def failures(self) -> int:
        """The number of failures since the last success."""
        return self._failures

    def next_s(self, spent_s: float = 0.0) -> float:
        """Counts one more failure and returns the pause after it, in seconds.

        `spent_s`, the time that the attempt took, counts as a part of the pause. The rest is at least `first_s`, or the
        whole pause if that is shorter.
        """
        longest_s = min(self._cap_s, self._first_s * 2.0 ** min(self._failures, MAX_DOUBLINGS))
        self._failures += 1
        pause_s = self._uniform(longest_s * (1 - self._jitter), longest_s)
        return max(pause_s - spent_s, min(pause_s, self._first_s))

    def reset(self) -> None:
        """Forgets the failures after a success."""
        self._failures = 0
