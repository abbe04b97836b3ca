"""Which player logs in, and to which game."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loadtest.popularity import zipf

DRAWN_AT_ONCE = 1024


def drawn(players: int, exponent: float, seed: int) -> Callable[[], int]:
    """A function that draws one player, by number, at each call."""
    rng = np.random.default_rng(seed)
    waiting: list[int] = []

    def draw() -> int:
        if not waiting:
            waiting.extend(rng.choice(players, DRAWN_AT_ONCE, p=zipf(players, exponent)).tolist())
        return waiting.pop()

    return draw


def games_of(text: str) -> dict[str, float]:
    """Games and their weights from `name:weight,name,...`; raises ValueError naming what is wrong."""
    games: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        try:
            games[name] = float(weight or 1)
        except ValueError:
            raise ValueError(f"--games: {weight!r}, the weight of {name}, is no number") from None
        if not name or not 0 < games[name] < float("inf"):
            raise ValueError(f"--games: {part.strip()!r} is not NAME or NAME:WEIGHT with a weight above 0")
    return games
