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


def pack_texts(texts: tuple[str | None, ...]) -> str:
    """The texts as a store keeps them: a JSON list, empty when there are none."""
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":")) if texts else ""


def unpack_texts(packed: str) -> tuple[str | None, ...]:
    """The inverse of `pack_texts`."""
    return tuple(json.loads(packed)) if packed else ()
