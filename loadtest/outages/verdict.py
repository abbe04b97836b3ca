"""What an outage did to the callers: how they were answered, and whether each answer said the truth about itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.outages.asking import DEADLINE_S, Heard

EQUAL = 1e-9  # of scores: LightGBM adds the trees of many rows in the same order, numpy not always the votes


@dataclass(frozen=True, slots=True)
class Outage:
    """What was heard; `changed_s` is when the players changed, the fault lasted from then until `ended_s`."""

    heard: Sequence[Heard]
    changed_s: float
    ended_s: float
    fresh_within_s: float  # how old what is read may be and still count as fresh
    requests: int
    requests_before: int  # in as much time without a fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sums; `untrue` are the first answers whose flag does not fit what they were made of."""

    answers: int
    errors: Mapping[str, int]
    late: int
    fresh: int
    stale: int
    fallback: int
    untrue: Sequence[str]
    recovery_s: float
    requests_share: float


def verdict_of(outage: Outage, scores: Mapping[str, tuple[float, float]]) -> Verdict:
    """`scores` are each player's true ones before and after the change."""
    answered = [one for one in outage.heard if not one.error]
    counts = Counter(_kind(one) for one in answered)
    untrue = [said for one in answered if (said := _untruth(one, outage, scores[one.player]))]
    not_fresh_s = [one.sent_s for one in outage.heard if one.error or one.reason]
    return Verdict(
        answers=len(outage.heard),
        errors=Counter(one.error for one in outage.heard if one.error),
        late=sum(one.took_s > DEADLINE_S for one in outage.heard),
        fresh=counts["fresh"],
        stale=counts["stale"],
        fallback=counts["fallback"],
        untrue=untrue[:5],
        recovery_s=max(0.0, max(not_fresh_s, default=0.0) - outage.ended_s),
        requests_share=outage.requests / max(1, outage.requests_before),
    )


def _kind(one: Heard) -> str:
    return "fallback" if one.source == "FALLBACK" else "stale" if one.reason == "stale-features" else "fresh"


def _untruth(one: Heard, outage: Outage, scores: tuple[float, float]) -> str | None:
    """What is wrong with the answer; None when it is what it says."""
    before, after = scores
    match one.source, one.reason:
        case "FALLBACK", "features":
            right = one.score is None and one.age_ms is None
        case "ENSEMBLE", "stale-features":
            right = _is(one.score, before) or _is(one.score, after)
        case "ENSEMBLE", "":
            may_be_before = one.sent_s < outage.changed_s + outage.fresh_within_s
            right = _is(one.score, after) or (may_be_before and _is(one.score, before))
        case _:
            right = False
    if right:
        return None
    at_s = one.sent_s - outage.changed_s
    return (
        f"{one.player}, {at_s:.2f} s after the change: {one.source} {one.reason!r} {one.score}, not {before} or {after}"
    )


def _is(score: float | None, truth: float) -> bool:
    return score is not None and math.isclose(score, truth, rel_tol=0, abs_tol=EQUAL)
