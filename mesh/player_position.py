"""Position of a player in [0, 100), by a hash: the same on every machine."""

from __future__ import annotations

from hashlib import blake2b

WHOLE = 100.0


def prefix(game: str, salt: str | None) -> str:
    """Returns the text in front of a player's id: `game/`, or `salt/game/` with a salt."""
    return f"{game}/" if salt is None else f"{salt}/{game}/"


def position(text: str) -> float:
    """Returns the first 8 bytes of the BLAKE2b-64 of `text` as a number in [0, 100)."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * WHOLE
