"""The features of a player in stored form: packed numbers, texts, and the time of writing."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Columns:
    """The features of a store, in the order in which they are packed."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayerFeatures:
    """One player. `numbers` is little-endian float64 in the order of `Columns.numbers`; a missing number is NaN."""

    numbers: bytes
    texts: tuple[str | None, ...]
    written_at_s: float
    ends_at_s: float | None = None

    def has_ended(self, now_s: float) -> bool:
        """Whether the player has expired at `now_s`. All times are Unix times."""
        return self.ends_at_s is not None and self.ends_at_s <= now_s


def pack_texts(texts: tuple[str | None, ...]) -> str:
    """Returns the texts in stored form: a JSON list, or an empty text if there are none."""
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":")) if texts else ""


def unpack_texts(packed: str) -> tuple[str | None, ...]:
    """The inverse of `pack_texts`."""
    return tuple(json.loads(packed)) if packed else ()
