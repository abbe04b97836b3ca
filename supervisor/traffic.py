"""Which version a player belongs to: the same at every log-in, on every supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b


def assign(game: str, player_id: str, shares: Mapping[str, float]) -> str:
    """The version of `shares` (percent by version, adding up to 100) that the player belongs to.

    The player's place in [0, 100) is the first 8 bytes of BLAKE2b-64 of `game/player_id`. Versions share it out in the
    order of their names, whatever their order in the file, which Helm does not keep: so a share that grows keeps the
    players it had.
    """
    if len(shares) == 1:
        return next(iter(shares))
    digest = blake2b(f"{game}/{player_id}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest) / 2**64 * 100
    edge = 0.0
    for version in sorted(shares):
        edge += shares[version]
        if place < edge:
            return version
    return max(shares, key=lambda version: shares[version])  # rounding at the very top
