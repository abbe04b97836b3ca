"""The expected scores: plain LightGBM on the same rows, combined by plain Python."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mesh.reference.combination import mean, median, trimmed_mean, vote, weighted_mean
from tests.end_to_end.meshes import OFFERS, TEXTS, Player
from tests.forests import PLATFORMS, TIERS, Matrix, TrainedForest

CLASS = 2
OFFER_ROWS = {row["offer_id"]: row for row in csv.DictReader(io.StringIO(OFFERS))}
CODES: Mapping[str, Sequence[object]] = {"platform": PLATFORMS, "tier": TIERS}
Context = Mapping[str, float | str]


def context_of(player: Player) -> dict[str, float | str]:
    """Returns the context of a player's request; every third request has features that the store does not have."""
    position = int(player.id.removeprefix("player-"))
    return {"Column_0": position / 7, "platform": "ios"} if position % 3 == 0 else {}


def table(
    forests: Sequence[TrainedForest],
    players: Sequence[Player],
    offer: str,
    context: Callable[[Player], Context] = context_of,
) -> Matrix:
    """Returns the score of every model for every player with `offer` [models, players]."""
    return np.array([_scores(forest, players, offer, context) for forest in forests])


def _scores(
    forest: TrainedForest, players: Sequence[Player], offer: str, context: Callable[[Player], Context]
) -> Matrix:
    names = forest.booster.feature_name()
    rows = np.array([[_value(name, player, offer, context(player)) for name in names] for player in players])
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


ROW_COMBINERS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "every-kind": lambda votes, _: mean(votes),
    "weighted-mean": weighted_mean,
    "median": lambda votes, _: median(votes),
    "trimmed-mean": lambda votes, _: trimmed_mean(votes, 0.1),
    "vote": lambda votes, _: vote(votes, 0.5),
}
