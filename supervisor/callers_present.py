"""The callers that have sent requests recently, and the part of a cohort that each of them gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PRESENT_S = 60.0
_REVIEW_S = 1.0


class Load(NamedTuple):
    """The waiting rows of one caller on all routes, and its weight."""

    rows: float
    weight: float


class CallersPresent:
    """The callers that have sent a request within `PRESENT_S`. One alone needs no protection from others."""

    def __init__(self) -> None:
        self._seen_s: dict[str | None, float] = {}
        self._reviewed_s = 0.0

    @property
    def are_several(self) -> bool:
        """Whether more than one caller is present."""
        return len(self._seen_s) > 1

    def has_sent_since(self, but: str | None, since_s: float) -> bool:
        """Returns whether another caller than `but` has sent a request since `since_s`."""
        return any(seen_s >= since_s for caller, seen_s in self._seen_s.items() if caller != but)

    def record(self, caller: str | None, now_s: float) -> None:
        """Records a request of `caller`."""
        self._seen_s[caller] = now_s
        if len(self._seen_s) > 1 and now_s - self._reviewed_s >= _REVIEW_S:
            self._reviewed_s = now_s
            self._seen_s = {one: seen_s for one, seen_s in self._seen_s.items() if now_s - seen_s < PRESENT_S}


def usual_load(loads: Mapping[str | None, Load]) -> float:
    """Returns the waiting rows per weight that a usual caller has: the lower weighted median; 0 for one caller.

    A few callers that flood the queue do not change it.
    """
    if len(loads) < 2:
        return 0.0
    half = sum([load.weight for load in loads.values()]) / 2
    passed = 0.0
    for per_weight, weight in sorted([(load.rows / load.weight, load.weight) for load in loads.values()]):
        passed += weight
        if passed >= half:
            return per_weight
    raise AssertionError("the weights of all callers are at least half of them")
