"""A player's features as stored and read: packed numbers, a few texts, and when they were written."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Columns:
    """The features that a store holds, in the order in which they are packed."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayerFeatures:
    """One player. `numbers` is little-endian float64 in the order of `Columns.numbers`, NaN where missing."""

    numbers: bytes
    texts: tuple[str | None, ...]
    written_at_s: float
    ends_at_s: float | None = None

    def has_ended(self, now_s: float) -> bool:
        """Whether the store has given the player up by `now_s` (Unix time, as all here)."""
        return self.ends_at_s is not None and self.ends_at_s <= now_s


def pack_texts(texts: tuple[str | None, ...]) -> str:
    """The texts as a store keeps them: a JSON list, empty when there are none."""
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":")) if texts else ""


def unpack_texts(packed: str) -> tuple[str | None, ...]:
    """The inverse of `pack_texts`."""
    return tuple(json.loads(packed)) if packed else ()
