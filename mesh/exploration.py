"""Exploration: a share of the players gets a first offer that is drawn from the top of the ranking.

A pure function of the ranking, the votes and the decision id, so that a reader of the decision log draws the same offer
and computes the same probability. Reasons: docs/decisions/0024-exploration.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mesh import decision_id
from mesh.block import Block
from mesh.player_position import WHOLE, position

DEFAULT_TEMPERATURE = 0.5
_DAY_MS = 86_400_000
_DIVISIONS = 6  # _exp divides its argument by 2 as often
_TERMS = 14  # of its Taylor series: the remainder is below 2^-53 of the sum


class Explore(Block):
    """Draws the first offer of a share of the players; the decision log has the probability of the offer."""

    kind: Literal["epsilon", "softmax", "thompson_votes"] = Field(
        description="how to draw: epsilon: each offer of the top with the same probability; softmax: better offers "
        "with a higher probability; thompson_votes: the best offer of the top for one model, which is drawn"
    )
    share: float = Field(
        gt=0,
        le=100,
        description="percent of the players of the version who get a drawn offer; other players each UTC day",
    )
    top: int = Field(5, ge=2, description="number of offers, the best of the ranking, from which one is drawn")
    temperature: float | None = Field(
        None,
        ge=0.05,
        le=100,
        description="for softmax: the best offer of the top is exp(1/temperature) times as probable as the last one; "
        f"default {DEFAULT_TEMPERATURE}",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_temperature(cls, values: Any) -> Any:
        """Adds the default, so that the decision log has the temperature that was used."""
        is_softmax = isinstance(values, dict) and values.get("kind") == "softmax"
        return {**values, "temperature": DEFAULT_TEMPERATURE} if is_softmax and "temperature" not in values else values


def is_explorer(explore: Explore, prefix: str, player_id: str, decision: str) -> bool:
    """Returns whether a player belongs to the share on the UTC day of the id `decision`.

    `prefix` is `mesh.player_position.prefix` of the game. The position is that of the text
    `explore/DAY/PREFIX PLAYER` (without the space), where DAY is the number of days since 1970.
    """
    day = decision_id.time_ms(decision) // _DAY_MS
    return position(f"explore/{day}/{prefix}{player_id}") < explore.share


def chances(
    explore: Explore,
    keys: Sequence[float],
    votes: NDArray[np.float64] | None = None,
    weights: Sequence[float] | None = None,
) -> list[float]:
    """Returns the probability with which each offer of the top is drawn [top]; they add up to 1, but for rounding.

    `keys` [top] are the values by which the offers were ranked, best first. `thompson_votes` needs `votes`
    [voters, top], the value of each offer by the vote of each model that voted, as a ranking by this model alone has
    it, and the `weights` [voters] of the models. A NaN among `keys` and `votes` counts as the lowest value.
    """
    match explore.kind:
        case "epsilon":
            return [1 / len(keys)] * len(keys)
        case "softmax":
            return _softmax(keys, explore.temperature or DEFAULT_TEMPERATURE)
        case "thompson_votes":
            if votes is None or weights is None:
                raise ValueError("thompson_votes needs the votes and their weights")
            return _best_by_vote(votes, weights)


def drawn(probabilities: Sequence[float], decision: str) -> int:
    """Returns the place that the id `decision` draws: each with its probability, never one with probability 0.

    The draw is the first 53 bits of the BLAKE2b-64 of `draw/DECISION`, as a fraction of the sum of `probabilities`.
    """
    digest = blake2b(f"draw/{decision}".encode(), digest_size=8).digest()
    sums = list(accumulate(probabilities))
    return bisect_right(sums, (int.from_bytes(digest) >> 11) / 2**53 * sums[-1])


def propensity(explore: Explore, probabilities: Sequence[float], place: int) -> float:
    """Returns the probability that the offer at `place` of the top comes first, for a player of whom nothing is known.

    It includes the players outside the share, whose first offer is the best.
    """
    share = explore.share / WHOLE
    return (1 - share if place == 0 else 0.0) + share * probabilities[place]


def _softmax(keys: Sequence[float], temperature: float) -> list[float]:
    """Returns probabilities that fall from the best of `keys` to the last finite one by exp(1 / temperature).

    The distance between these two is the unit of the keys: so a temperature has the same meaning for probabilities, log
    odds and revenues. Without such a distance, the offers are equally probable. An offer with the key -inf, such as one
    without a price, is not drawn if another offer has a higher key.
    """
    values = [key if key == key else -math.inf for key in keys]
    best = max(values)
    if math.isinf(best):
        weights = [float(value == best) for value in values]
    else:
        worst = min(value for value in values if value > -math.inf)
        spread = best / 2 - worst / 2  # the half, because the whole distance may be infinite
        weights = [_weight(value, best, spread, temperature) for value in values]
    total = sum(weights)
    return [weight / total for weight in weights]


def _weight(value: float, best: float, spread: float, temperature: float) -> float:
    if value == -math.inf:
        return 0.0
    return _exp((value / 2 - best / 2) / spread / temperature) if spread else 1.0


def _exp(exponent: float) -> float:
    """Returns the exponential of a number between -20 and 0, with the same bits on every machine.

    The last bit of `math.exp` depends on the C library and on the processor; the basic operations do not (IEEE 754).
    """
    part, total = exponent / 2**_DIVISIONS, 1.0
    for term in range(_TERMS, 0, -1):
        total = 1.0 + part * total / term
    for _ in range(_DIVISIONS):
        total *= total
    return total


def _best_by_vote(votes: NDArray[np.float64], weights: Sequence[float]) -> list[float]:
    """Returns the weighted share of the models for which each offer is the best; ties go to the higher rank."""
    total, sums = sum(weights), [0.0] * votes.shape[1]
    best = np.where(np.isnan(votes), -np.inf, votes).argmax(axis=1).tolist()
    for place, weight in zip(best, weights, strict=True):
        sums[place] += weight
    return [part / total for part in sums]
