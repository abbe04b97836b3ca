"""Checks answers: every score must equal LightGBM's to the last bit, and the offers must be the best in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.reference.oracle import Oracle
from loadtest.run.answers import Answer


def wrong_answers(
    answers: Sequence[Answer], oracle: Oracle, is_ranked: bool, progress: Callable[[int], None]
) -> set[int]:
    """The positions of the wrong answers; `progress` receives the number of checked answers.

    With `is_ranked`, the offers of an answer must also be the best offers.
    """
    wrong = set()
    for position, answer in enumerate(answers):
        if answer.source in ("ENSEMBLE", "PARTIAL") and not _is_right(answer, oracle, is_ranked):
            wrong.add(position)
        progress(position + 1)
    return wrong


def _is_right(answer: Answer, oracle: Oracle, is_ranked: bool) -> bool:
    expected = oracle.scores(answer.version, answer.missing, answer.player_id)
    if any(expected.get(offer) != score for offer, score in answer.scores):
        return False
    shown = [offer for offer, _ in answer.scores]
    return not is_ranked or (bool(shown) and shown == oracle.ranking(expected)[: len(shown)])
