"""The combination rules of the catalog in plain Python."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from mesh.catalog.version import Combine


def combine(rule: Combine, rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """One score per row from the votes of the models [rows][models]; rank_mean ranks all rows together."""
    if rule.kind == "rank_mean":
        return rank_mean(rows)
    of_row: dict[str, Callable[[Sequence[float]], float]] = {
        "mean": mean,
        "weighted_mean": lambda votes: weighted_mean(votes, weights),
        "median": median,
        "trimmed_mean": lambda votes: trimmed_mean(votes, rule.trim),
        "vote": lambda votes: vote(votes, rule.threshold),
    }
    return [of_row[rule.kind](row) for row in rows]


def mean(votes: Sequence[float]) -> float:
    """The sum of the votes, in order, over their number."""
    return _add(votes) / len(votes)


def weighted_mean(votes: Sequence[float], weights: Sequence[float]) -> float:
    """The sum of votes times weights over the sum of the weights."""
    return _add([vote * weight for vote, weight in zip(votes, weights, strict=True)]) / _add(weights)


def median(votes: Sequence[float]) -> float:
    """The middle vote, or the mean of the two middle votes."""
    ordered, half = sorted(votes), len(votes) // 2
    return ordered[half] if len(votes) % 2 else (ordered[half - 1] + ordered[half]) / 2


def trimmed_mean(votes: Sequence[float], trim: float) -> float:
    """The mean without the share `trim` at each end, rounded down to whole votes."""
    drop = int(len(votes) * trim)
    return mean(sorted(votes)[drop : len(votes) - drop])


def vote(votes: Sequence[float], threshold: float) -> float:
    """The share of votes that are at least `threshold`."""
    return sum(score >= threshold for score in votes) / len(votes)


def rank_mean(rows: Sequence[Sequence[float]]) -> list[float]:
    """The mean rank of each row among all rows, 0 to 1, from their votes [rows][models]."""
    by_model = list(zip(*rows, strict=True))
    places = [_places(column) for column in by_model]
    return [mean(column) for column in zip(*places, strict=True)]


def _places(column: Sequence[float]) -> list[float]:
    ordered, most = sorted(column), 2 * max(1, len(column) - 1)
    return [(bisect_left(ordered, score) + bisect_right(ordered, score) - 1) / most for score in column]


def _add(numbers: Sequence[float]) -> float:
    total = 0.0  # in order: from Python 3.12 on, sum() of floats is compensated
    for number in numbers:
        total += number
    return total
