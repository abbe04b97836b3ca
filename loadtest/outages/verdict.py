"""The verdict on an outage: counts of the responses, and whether each answer is consistent with its flags."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.outages.client import DEADLINE_S, Response

EQUAL = 1e-9  # tolerance for scores: numpy may add the votes in another order than the mesh
MAX_RECOVERY_S, MAX_REQUESTS_SHARE = 2.0, 1.1


@dataclass(frozen=True, slots=True)
class Record:
    """The responses of a trial; the fault lasted from `changed_s`, when the players changed, until `ended_s`."""

    responses: Sequence[Response]
    changed_s: float
    ended_s: float
    fresh_within_s: float  # the highest age at which features count as fresh
    requests: int
    requests_before: int  # in a period of the same length without a fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts; `untrue` describes the first answers whose score does not match their flags."""

    answers: int
    errors: Mapping[str, int]
    late: int
    fresh: int
    stale: int
    fallback: int
    untrue: Sequence[str]
    recovery_s: float
    requests_share: float


def verdict_of(record: Record, scores: Mapping[str, tuple[float, float]]) -> Verdict:
    """The verdict on a record; `scores` are the correct scores of each player before and after the change."""
    answers = [one for one in record.responses if not one.error]
    counts = Counter(_kind(one) for one in answers)
    untrue = [line for one in answers if (line := _mismatch(one, record, scores[one.player]))]
    not_fresh_s = [one.sent_s for one in record.responses if one.error or one.reason]
    return Verdict(
        answers=len(record.responses),
        errors=Counter(one.error for one in record.responses if one.error),
        late=sum(one.took_s > DEADLINE_S for one in record.responses),
        fresh=counts["fresh"],
        stale=counts["stale"],
        fallback=counts["fallback"],
        untrue=untrue[:5],
        recovery_s=max(0.0, max(not_fresh_s, default=0.0) - record.ended_s),
        requests_share=record.requests / max(1, record.requests_before),
    )


def faults_of(verdict: Verdict, *, throttled: bool) -> list[str]:
    """One line for each requirement that the verdict misses."""
    found = [f"wrong answer: {line}" for line in verdict.untrue]
    if verdict.errors:
        found.append(f"errors: {dict(verdict.errors)}")
    if verdict.late:
        found.append(f"{verdict.late} of {verdict.answers} answers came after their deadline")
    if verdict.recovery_s > MAX_RECOVERY_S:
        found.append(f"the last answer that was not fresh was requested {verdict.recovery_s:.1f} s after the end")
    if throttled and verdict.requests_share > MAX_REQUESTS_SHARE:
        found.append(f"{verdict.requests_share:.2f} times the normal requests while the store throttles")
    return found


def _kind(one: Response) -> str:
    return "fallback" if one.source == "FALLBACK" else "stale" if one.reason == "stale-features" else "fresh"


def _mismatch(one: Response, record: Record, scores: tuple[float, float]) -> str | None:
    """Describes an answer whose score does not match its flags; None if it does."""
    before, after = scores
    match one.source, one.reason:
        case "FALLBACK", "features":
            right = one.score is None and one.age_ms is None
        case "ENSEMBLE", "stale-features":
            right = _equal(one.score, before) or _equal(one.score, after)
        case "ENSEMBLE", "":
            may_be_before = one.sent_s < record.changed_s + record.fresh_within_s
            right = _equal(one.score, after) or (may_be_before and _equal(one.score, before))
        case _:
            right = False
    if right:
        return None
    answer = f"{one.source} {one.reason!r} {one.score}"
    return f"{one.player}, {one.sent_s - record.changed_s:.2f} s after the change: {answer}, not {before} or {after}"


def _equal(score: float | None, expected: float) -> bool:
    return score is not None and math.isclose(score, expected, rel_tol=0, abs_tol=EQUAL)
