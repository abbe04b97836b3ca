"""The popularity of players: how often each player logs in."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

MAX_PLAYERS = 1_000_000  # the probability of each player is kept in memory


@lru_cache
def zipf(players: int, exponent: float) -> npt.NDArray[np.float64]:
    """The probability of each player by rank: proportional to 1 / rank ** `exponent` (Zipf) [players]."""
    weights = 1.0 / np.arange(1, players + 1) ** exponent
    probabilities: npt.NDArray[np.float64] = weights / weights.sum()
    return probabilities
