"""The callers of a game: which one a peer is, and which buckets stay when the catalog changes."""

from __future__ import annotations

import pytest

from supervisor.callers.game_callers import GameCaller, GameCallers
from supervisor.callers.peer import Peer
from tests.supervisor.callers.fake_call import LOBBY, SHOP, TOKEN_SHA256, callers_of

OTHER = frozenset(["other.studio.example"])


def named(callers: GameCallers, peer: Peer) -> str | None:
    found = callers.of(peer)
    return found.name if found is not None else None


def caller(callers: GameCallers, name: str) -> GameCaller:
    return next(one for one in callers if one.name == name)


def test_peer_is_the_caller_with_a_name_of_its_certificate() -> None:
    callers = callers_of({"lobby": {"names": [LOBBY]}, "shop": {"names": [SHOP]}})
    assert named(callers, Peer(OTHER | {SHOP})) == "shop"
    assert named(callers, Peer(OTHER)) is None


def test_peer_with_names_of_two_callers_is_the_first_in_the_catalog() -> None:
    for order in (["lobby", "shop"], ["shop", "lobby"]):
        names = {"lobby": LOBBY, "shop": SHOP}
        callers = callers_of({name: {"names": [names[name]]} for name in order})
        assert named(callers, Peer(frozenset([LOBBY, SHOP]))) == order[0]


def test_certificate_counts_before_the_token_and_the_token_before_anyone() -> None:
    token = bytes.fromhex(TOKEN_SHA256)
    callers = callers_of({"anyone": True, "shop": {"token_sha256": [TOKEN_SHA256]}, "lobby": {"names": [LOBBY]}})
    assert named(callers, Peer(frozenset([LOBBY]), token)) == "lobby"
    assert named(callers, Peer(OTHER, token)) == "shop"
    assert named(callers, Peer(OTHER)) == "anyone"


def test_bucket_stays_if_the_limit_of_its_caller_does() -> None:
    first = callers_of(
        {"lobby": {"names": [LOBBY], "requests_per_s": 5}, "shop": {"names": [SHOP], "requests_per_s": 5}}
    )
    later = callers_of(
        {
            "shop": {"names": [SHOP], "requests_per_s": 5, "burst": 9},
            "lobby": {"names": [SHOP], "requests_per_s": 5, "burst": 5, "weight": 3},
        },
        before=first,
    )
    assert caller(later, "lobby").bucket is caller(first, "lobby").bucket
    assert caller(later, "shop").bucket is not caller(first, "shop").bucket


@pytest.mark.parametrize(("per_s", "burst"), [(5.0, 5.0), (0.1, 1.0)])
def test_burst_is_that_of_one_second_but_at_least_one_request(per_s: float, burst: float) -> None:
    bucket = caller(callers_of({"lobby": {"names": [LOBBY], "requests_per_s": per_s}}), "lobby").bucket
    assert bucket is not None
    assert (bucket.per_s, bucket.burst) == (per_s, burst)


def test_caller_without_a_limit_has_no_bucket() -> None:
    assert caller(callers_of({"anyone": True}), "anyone").bucket is None
