"""What plain LightGBM says of the same rows, combined by plain Python: the other side of every comparison."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.end_to_end.meshes import OFFERS, TEXTS, Player
from tests.forests import PLATFORMS, TIERS, Matrix, TrainedForest

CLASS = 2
OFFER_ROWS = {row["offer_id"]: row for row in csv.DictReader(io.StringIO(OFFERS))}
CODES: Mapping[str, Sequence[object]] = {"platform": PLATFORMS, "tier": TIERS}
Context = Mapping[str, float | str]


def context_of(player: Player) -> dict[str, float | str]:
    """What a player's request says: every third one knows something that the store does not."""
    position = int(player.id.removeprefix("player-"))
    return {"Column_0": position / 7, "platform": "ios"} if position % 3 == 0 else {}


def table(forests: Sequence[TrainedForest], players: Sequence[Player], offer: str) -> Matrix:
    """Every model's score for every player, shown `offer` [models, players]."""
    return np.array([_scores(forest, players, offer) for forest in forests])


def _scores(forest: TrainedForest, players: Sequence[Player], offer: str) -> Matrix:
    names = forest.booster.feature_name()
    rows = np.array([[_value(name, player, offer, context_of(player)) for name in names] for player in players])
    result = forest.scores(rows)
    return result[:, CLASS] if result.ndim == 2 else result


def _value(feature: str, player: Player, offer: str, context: Context) -> float:
    if feature in context:
        value: float | str | None = context[feature]
    elif feature in OFFER_ROWS[offer]:
        cell = OFFER_ROWS[offer][feature]
        value = float(cell) if cell else None
    else:
        value = player.value(feature)
    if feature in CODES:
        return float(CODES[feature].index(value)) if value in CODES[feature] else np.nan
    assert feature not in TEXTS
    return np.nan if value is None else float(value)


def mean(votes: Sequence[float], _: Sequence[float]) -> float:
    return _add(votes) / len(votes)


def weighted_mean(votes: Sequence[float], weights: Sequence[float]) -> float:
    return _add([vote * weight for vote, weight in zip(votes, weights, strict=True)]) / _add(weights)


def median(votes: Sequence[float], _: Sequence[float]) -> float:
    ordered, half = sorted(votes), len(votes) // 2
    return ordered[half] if len(votes) % 2 else (ordered[half - 1] + ordered[half]) / 2


def trimmed_mean(votes: Sequence[float], _: Sequence[float]) -> float:
    drop = int(len(votes) * 0.1)
    kept = sorted(votes)[drop : len(votes) - drop]
    return _add(kept) / len(kept)


def vote(votes: Sequence[float], _: Sequence[float]) -> float:
    return sum(score >= 0.5 for score in votes) / len(votes)


ROW_COMBINERS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "every-kind": mean,
    "weighted-mean": weighted_mean,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "vote": vote,
}


def rank_mean(votes: Sequence[Sequence[float]]) -> list[float]:
    """The mean place of each offer among the offers, 0 to 1, from one player's votes [offers][models]."""
    by_model = list(zip(*votes, strict=True))
    places = [[_place(score, row) for score in row] for row in by_model]
    return [_add(column) / len(by_model) for column in zip(*places, strict=True)]


def _place(score: float, row: Sequence[float]) -> float:
    below = sum(other < score for other in row)
    equal = sum(other == score for other in row)
    return (2 * below + equal - 1) / (2 * (len(row) - 1))


def _add(numbers: Sequence[float]) -> float:
    total = 0.0
    for number in numbers:
        total += number
    return total
