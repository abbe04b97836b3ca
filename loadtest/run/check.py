"""Whether answers are right: every score is to be LightGBM's own, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.offline import Oracle
from loadtest.run.answers import Answer


def wrong_ones(answers: Sequence[Answer], oracle: Oracle, progress: Callable[[int], None]) -> set[int]:
    """The positions of the answers with a score that differs; `progress` hears how many have been looked at."""
    wrong = set()
    for position, answer in enumerate(answers):
        if answer.source in ("ENSEMBLE", "PARTIAL") and not _is_right(answer, oracle):
            wrong.add(position)
        progress(position + 1)
    return wrong


def _is_right(answer: Answer, oracle: Oracle) -> bool:
    expected = oracle.scores(answer.version, answer.missing, answer.player_id)
    return all(expected.get(offer) == score for offer, score in answer.scores)
