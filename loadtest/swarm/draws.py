"""Draws the players who log in, and parses the weights of the games."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from loadtest.generators.popularity import zipf

DRAWN_AT_ONCE = 1024


def drawn(players: int, exponent: float, seed: int) -> Callable[[], int]:
    """A function that returns the number of a drawn player at each call."""
    rng = np.random.default_rng(seed)
    buffer: list[int] = []

    def draw() -> int:
        if not buffer:
            buffer.extend(rng.choice(players, DRAWN_AT_ONCE, p=zipf(players, exponent)).tolist())
        return buffer.pop()

    return draw


def games_of(text: str) -> dict[str, float]:
    """Parses `name:weight,name,...` into weights by game; the ValueError names the fault."""
    games: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        try:
            games[name] = float(weight or 1)
        except ValueError:
            raise ValueError(f"--games: {weight!r}, the weight of {name}, is not a number") from None
        if not name or not 0 < games[name] < float("inf"):
            raise ValueError(f"--games: {part.strip()!r} is not NAME or NAME:WEIGHT with a weight above 0")
    return games
