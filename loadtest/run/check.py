"""Checks answers: every score must equal LightGBM's to the last bit, and the offers must be the best in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.run.answers import Answer
from mesh.reference.oracle import Oracle

# Reasons of answers whose scores are made of other features than the store has now.
OTHER_FEATURES = ("features", "stale-features")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` are positions of answers; `uncompared` counts the answers that were not compared, by reason."""

    wrong: frozenset[int]
    compared: int
    uncompared: Mapping[str, int]

    def lines(self) -> list[str]:
        """The result for people."""
        total = self.compared + sum(self.uncompared.values())
        first = f"Compared {self.compared:,} of {total:,} answers with LightGBM: {len(self.wrong):,} are wrong."
        return [first, *(f"Not compared: {count:,} {reason}." for reason, count in self.uncompared.items())]


def check_answers(
    answers: Sequence[Answer], oracle: Oracle, is_ranked: bool, progress: Callable[[int], None]
) -> Verdict:
    """Compares every answer that has scores; `progress` receives the number of checked answers.

    With `is_ranked`, the offers of an answer must also be the best offers.
    """
    wrong: set[int] = set()
    uncompared: Counter[str] = Counter()
    for position, answer in enumerate(answers):
        reason = _why_not(answer)
        if reason:
            uncompared[reason] += 1
        elif not is_right(answer, oracle, is_ranked):
            wrong.add(position)
        progress(position + 1)
    return Verdict(frozenset(wrong), len(answers) - uncompared.total(), dict(uncompared.most_common()))


def _why_not(answer: Answer) -> str:
    """The reason why an answer cannot be compared; empty if it can."""
    if answer.code == "UNSENT":
        return "requests were not sent"
    if answer.code != "OK":
        return f"requests ended with {answer.code}"
    if answer.source not in ("ENSEMBLE", "PARTIAL"):
        return f"fallbacks have no scores (reason: {answer.reason or 'none given'})"
    if answer.reason in OTHER_FEATURES:
        return f"answers have scores of other features than the store (reason: {answer.reason})"
    return ""


def is_right(answer: Answer, oracle: Oracle, is_ranked: bool) -> bool:
    """Whether an answer with scores has those of `oracle`; with `is_ranked`, also the best offers in order.

    The first offer of an explored answer may be any; the others are the best in order.
    """
    expected = oracle.scores(answer.version, answer.missing, answer.player_id)
    if any(expected.get(offer) != score for offer, score in answer.scores):
        return False
    shown = [offer for offer, _ in answer.scores]
    if not is_ranked or not shown:
        return not is_ranked
    best = oracle.ranking(expected)
    if answer.is_explored:
        best.remove(shown[0])
        best.insert(0, shown[0])
    return shown == best[: len(shown)]
