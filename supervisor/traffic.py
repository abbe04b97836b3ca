"""Assigns players to versions by traffic share: the same version at every log-in and on every supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b


def assign(game: str, player_id: str, shares: Mapping[str, float]) -> str:
    """Returns the version of a player; `shares` is the percentage of players by version, with a sum of 100.

    The first 8 bytes of BLAKE2b-64 of `game/player_id` give the player's position in [0, 100). The versions divide this
    range in the order of their names. The order in the catalog does not count, since Helm does not preserve it. The
    first and the last version keep their players when their share grows; a version between them may lose some.
    """
    if len(shares) == 1:
        return next(iter(shares))
    digest = blake2b(f"{game}/{player_id}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest) / 2**64 * 100
    edge = 0.0
    for version in sorted(shares):
        edge += shares[version]
        if position < edge:
            return version
    return max(shares, key=lambda version: shares[version])  # rounding: the sum of the shares is just below 100
