"""Guard: decides from the answers of a sliding window whether a version breaks its bounds, and another does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mesh.catalog.shifts import Guard
from supervisor.answers import Answer, ReasonWord, Source
from supervisor.ballot import NO_VOTE

BUCKETS = 20  # of a window
_LOST, _SLOW = 1, 2  # the kinds of bad answers: their places in the counts
_SLOW_SHARE = 0.01  # of the answers may take longer than a bound on the p99
_CHANCE = 3.0  # standard deviations of a count that may be chance
_CHANCE_OF_TWO = 4.0  # the same for a comparison: a fault begins in one version by chance, and is looked at often
_WORSE = 2.0  # if both versions break a bound: one fault hits a version with more models more often
_OWN_FAULTS = frozenset((ReasonWord.MISSING_MODELS, ReasonWord.QUORUM))
Counts = Sequence[int]  # all answers, the lost ones, the slow ones


class Breach(NamedTuple):
    """A broken bound. It is not certain while the other version has too few answers to show the same fault."""

    text: str
    is_certain: bool


class Window:
    """The answers of two versions in a sliding window of `length_s`: counts in `BUCKETS` buckets, so memory is fixed.

    `own` and `other` are the counts of the whole window.
    """

    __slots__ = ("_bucket_s", "_buckets", "_number", "other", "own")

    def __init__(self, length_s: float) -> None:
        self.own = [0, 0, 0]
        self.other = [0, 0, 0]
        self._bucket_s = length_s / BUCKETS
        self._buckets = [([0, 0, 0], [0, 0, 0]) for _ in range(BUCKETS)]
        self._number = 0

    def add(self, now_s: float, is_own: bool, is_lost: bool, is_slow: bool) -> None:
        """Counts an answer at `now_s` (monotonic)."""
        number = int(now_s / self._bucket_s)
        if number != self._number:
            self._move_to(number)
        own, other = self._buckets[number % BUCKETS]
        for counts in (own, self.own) if is_own else (other, self.other):
            counts[0] += 1
            counts[_LOST] += is_lost
            counts[_SLOW] += is_slow

    def pairs(self) -> Iterable[tuple[Counts, Counts]]:
        """Returns the counts of both versions in each bucket."""
        return self._buckets

    def _move_to(self, number: int) -> None:
        for passed in range(max(self._number + 1, number - BUCKETS + 1), number + 1):
            for bucket, total in zip(self._buckets[passed % BUCKETS], (self.own, self.other), strict=True):
                for kind, count in enumerate(bucket):
                    total[kind] -= count
                    bucket[kind] = 0
        self._number = number


class Bounds:
    """The bounds of a guard, for a game with the budget `budget_s`."""

    __slots__ = ("_allowed", "_patience_s", "block", "slow_s")

    def __init__(self, block: Guard, budget_s: float) -> None:
        self.block = block
        self.slow_s = math.inf if block.p99_ms is None else block.p99_ms / 1000
        self._patience_s = min(self.slow_s, budget_s / 2)
        lost = [] if block.whole is None else [(_LOST, 1 - block.whole / 100, "lack votes")]
        slow = [] if block.p99_ms is None else [(_SLOW, _SLOW_SHARE, f"took the models over {block.p99_ms:g} ms")]
        self._allowed = (*lost, *slow)

    def is_lost(self, answer: Answer) -> bool | None:
        """Returns whether the version lost votes of `answer`; None if the answer says nothing about the version.

        Such answers are fallbacks for which no model was asked, and answers whose models had less time than the bound
        on the p99, and less than half of the budget: the store, the queue or the caller has used the time.
        """
        if answer.source is Source.ENSEMBLE:
            return False
        word = answer.reason.word if answer.reason is not None else None
        if word is ReasonWord.INTERNAL:
            return True
        if word not in _OWN_FAULTS:
            return None
        was_cut = answer.timings.fan_out_s < self._patience_s and all(reason == NO_VOTE for _, reason in answer.missing)
        return None if was_cut else True

    def is_broken(self, own: Counts) -> bool:
        """Returns whether a version with the answers `own` breaks a bound: a fast test before `breach`."""
        if own[0] < self.block.min_requests:
            return False
        return any(_is_broken(own, kind, allowed) for kind, allowed, _ in self._allowed)

    def breach(self, window: Window) -> Breach | None:
        """Returns how a version breaks a bound, unless the answers of the other version excuse it."""
        own, other = window.own, window.other
        for kind, allowed, what in self._allowed:
            if not _is_broken(own, kind, allowed):
                continue
            weight = _WORSE if _is_broken(other, kind, allowed) else 1.0
            is_certain = not other[0] or _is_worse(window.pairs(), kind, weight)
            if is_certain or not other[kind]:
                text = f"{own[kind]} of {own[0]} answers {what} ({self.block.to}: {other[kind]} of {other[0]})"
                return Breach(text, is_certain)
        return None


def _is_broken(counts: Counts, kind: int, allowed: float) -> bool:
    """Returns whether more answers than the share `allowed` are bad, beyond chance."""
    limit = allowed * counts[0]
    return counts[kind] > limit + _CHANCE * math.sqrt(limit)


def _is_worse(pairs: Iterable[tuple[Counts, Counts]], kind: int, weight: float) -> bool:
    """Returns whether the first version has more bad answers than chance gives if both share one fault.

    The test of Mantel and Haenszel (1959): in each bucket, the bad answers of a common fault are divided as all answers
    are, so the versions can have different shares of the players in each. With `weight`, the first version may have as
    many times the bad answers.
    """
    excess, variance = 0.0, 0.0
    for own, other in pairs:
        bad = own[kind] + other[kind]
        if bad:
            part = weight * own[0] / (weight * own[0] + other[0])
            excess += own[kind] - bad * part
            variance += bad * part * (1 - part)
    return excess > _CHANCE_OF_TWO * math.sqrt(variance) and excess > 0
