"""Pauses between tries, so that many supervisors do not come back to a weak server all at once."""

from __future__ import annotations

from collections.abc import Callable

Uniform = Callable[[float, float], float]  # random.uniform, or a test's


class BackOff:
    """Each pause is up to twice the one before, jittered, and never longer than `cap_s`."""

    def __init__(self, first_s: float, cap_s: float, uniform: Uniform) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._uniform = uniform
        self._failures = 0

    def next_s(self) -> float:
        """The pause after one more failure, in seconds: from half of what it may be to the whole."""
        longest_s = min(self._cap_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._uniform(longest_s / 2, longest_s)

    def reset(self) -> None:
        """What was tried has held: the next pause is a short one."""
        self._failures = 0
