"""Draws the context of requests: the same for the same player."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

ContextValue = float | bool | str


def draw(drawn: Mapping[str, Sequence[ContextValue]], player_id: str) -> dict[str, ContextValue]:
    """Returns one value of each feature, always the same for the same player."""
    rng = random.Random(f"context of {player_id}")
    return {name: rng.choice(values) for name, values in drawn.items()}
