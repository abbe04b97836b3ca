"""The order of systems within a round, so that no system always has the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def in_turn(items: Sequence[_Item], number: int) -> list[_Item]:
    """Every item once: round `number` starts with the item at that position, and every other round runs backwards."""
    first = number % len(items)
    order = [*items[first:], *items[:first]]
    return order[::-1] if number % 2 else order
