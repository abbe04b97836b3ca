"""Which supervisor a player goes to: the same one while it is healthy, so that its cache of players is used.

Rendezvous hashing (Thaler and Ravishankar, 1996) gives each player an order of all supervisors: when a supervisor comes
or leaves, only its own players move. The load of each is bounded (Mirrokni et al., 2016, "Consistent hashing with
bounded loads"). Clients in all languages compute the same order: clients/conformance/preference.json has examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

LOAD_FACTOR = 1.25  # a supervisor may have this multiple of the mean number of open requests
LEAST_BOUND = 16  # so many are not a load: without this, two requests at the same time would part their players
_MASK = 2**64 - 1
T = TypeVar("T")


def fnv1a(text: str) -> int:
    """Returns the 64-bit FNV-1a hash of the UTF-8 bytes of `text`."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


def rank(address_hash: int, player_hash: int) -> int:
    """Returns the rank of a supervisor for a player, mixed as by splitmix64; the highest is the first choice."""
    value = (address_hash ^ player_hash) + 0x9E3779B97F4A7C15 & _MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def most_open(total: int, supervisors: int) -> int:
    """Returns how many open requests one of the healthy `supervisors` may have, if all have `total`, with a new one."""
    return max(LEAST_BOUND, math.ceil(LOAD_FACTOR * (total + 1) / supervisors))


def choose(order: Sequence[T], is_usable: Callable[[T], bool], open_requests: Callable[[T], int]) -> T | None:
    """Returns the first of `order` that is usable and not overloaded; the first usable if all are; None if none is."""
    usable = [one for one in order if is_usable(one)]
    if not usable:
        return None
    bound = most_open(sum(map(open_requests, usable)), len(usable))
    return next((one for one in usable if open_requests(one) < bound), usable[0])


def ordered(player: str, supervisors: Iterable[T], hash_of: Callable[[T], int]) -> list[T]:
    """Returns `supervisors` in the order in which `player` prefers them."""
    player_hash = fnv1a(player)
    return sorted(supervisors, key=lambda one: rank(hash_of(one), player_hash), reverse=True)
