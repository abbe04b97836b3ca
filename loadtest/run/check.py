"""Whether answers are right: every score LightGBM's own, to the last bit, and the best offers in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.offline import Oracle
from loadtest.run.answers import Answer


def wrong_ones(answers: Sequence[Answer], oracle: Oracle, is_ranked: bool, progress: Callable[[int], None]) -> set[int]:
    """The positions of the answers that are wrong; `progress` hears how many have been looked at.

    With `is_ranked` the offers of an answer must be the best ones, too.
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
