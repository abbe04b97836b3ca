"""Assignment of players to versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.traffic import Traffic
from tests.supervisor.catalogs import catalog_of

PLAYERS = [f"player-{number}" for number in range(20_000)]


def assign(player: str, shares: Mapping[str, float], game: str = "g", **assignment: Any) -> str:
    return Traffic(catalog_of(shares, game, assignment=assignment)).version_of(player)


def players_of(version: str, shares: Mapping[str, float], **assignment: Any) -> set[str]:
    traffic = Traffic(catalog_of(shares, assignment=assignment))
    return {player for player in PLAYERS if traffic.version_of(player) == version}


def first_release(game: str, player: str, shares: Mapping[str, float]) -> str:
    """The assignment as it was before the catalog had the block `assignment`."""
    position = int.from_bytes(blake2b(f"{game}/{player}".encode(), digest_size=8).digest()) / 2**64 * 100
    edge = 0.0
    for version in sorted(shares):
        edge += shares[version]
        if position < edge:
            return version
    return max(shares, key=lambda version: shares[version])


def test_player_keeps_the_version() -> None:
    shares = {"a": 50.0, "b": 50.0}
    assert players_of("a", shares) == players_of("a", shares)


def test_position_of_a_player_is_the_documented_hash() -> None:
    # b2sum -l 64 of "dragonfall/p1", big-endian, as a share of 2**64: the same on every supervisor, always
    assert assign("p1", {"1-below": 33.801, "2-above": 66.199}, "dragonfall") == "2-above"
    assert assign("p1", {"1-below": 33.802, "2-above": 66.198}, "dragonfall") == "1-below"


def test_position_with_a_salt_is_the_documented_hash() -> None:
    # b2sum -l 64 of "2026-11/dragonfall/p1"
    assert assign("p1", {"1-below": 83.225, "2-above": 16.775}, "dragonfall", salt="2026-11") == "2-above"
    assert assign("p1", {"1-below": 83.226, "2-above": 16.774}, "dragonfall", salt="2026-11") == "1-below"


def test_players_keep_the_versions_of_the_first_release() -> None:
    kept = [assign(f"player-{number}", {"2026-10": 90.0, "2026-11": 10.0}, "dragonfall") for number in range(40)]
    assert [number for number, version in enumerate(kept) if version == "2026-11"] == [0, 5, 6, 34]


@given(player=st.text("aé-7\n/", min_size=1, max_size=30), parts=st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_assignment_without_a_salt_is_that_of_the_first_release(player: str, parts: list[int]) -> None:
    total = sum(parts)
    if not total:
        return
    shares = {f"v{number}": 100 * part / total for number, part in enumerate(parts)}
    version = assign(player, shares)
    assert version == first_release("g", player, shares)
    assert shares[version] > 0


def test_versions_get_their_shares() -> None:
    assert abs(len(players_of("b", {"a": 90.0, "b": 10.0})) / len(PLAYERS) - 0.1) < 0.01


def test_version_whose_share_grows_keeps_its_players() -> None:
    assert players_of("new", {"new": 10.0, "old": 90.0}) < players_of("new", {"new": 25.0, "old": 75.0})


def test_order_of_the_versions_in_the_catalog_does_not_matter() -> None:
    assert players_of("a", {"a": 30.0, "b": 70.0}) == players_of("a", {"b": 70.0, "a": 30.0})


def test_version_with_share_zero_gets_no_players() -> None:
    shares = {"none-first": 0.0, "all": 100.0, "none-last": 0.0}
    assert players_of("all", shares) == set(PLAYERS)


def test_games_assign_players_independently() -> None:
    one, other = (Traffic(catalog_of({"a": 50.0, "b": 50.0}, game)) for game in ("g", "h"))
    same = sum(one.version_of(player) == other.version_of(player) for player in PLAYERS)
    assert abs(same / len(PLAYERS) - 0.5) < 0.02


def test_new_salt_assigns_all_players_again() -> None:
    shares = {"a": 50.0, "b": 50.0}
    groups = [players_of("a", shares, **one) for one in ({}, {"salt": "1"}, {"salt": "2"})]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(len(groups[one] & groups[other]) / len(PLAYERS) - 0.25) < 0.02


def test_holdout_takes_the_same_share_of_each_version() -> None:
    traffic = Traffic(catalog_of({"a": 80.0, "b": 20.0}, assignment={"holdout": 10}))
    held_out = Counter(traffic.version_of(player) for player in PLAYERS if traffic.is_held_out(player))
    assert abs(held_out["a"] / len(PLAYERS) - 0.08) < 0.01
    assert abs(held_out["b"] / len(PLAYERS) - 0.02) < 0.01


def test_holdout_that_grows_keeps_its_players() -> None:
    small, large = (Traffic(catalog_of({"a": 100.0}, assignment={"holdout": share})) for share in (2, 5))
    kept = {player for player in PLAYERS if small.is_held_out(player)}
    assert kept < {player for player in PLAYERS if large.is_held_out(player)}


def test_game_without_a_holdout_holds_nobody_out() -> None:
    traffic = Traffic(catalog_of({"a": 100.0}))
    assert not any(traffic.is_held_out(player) for player in PLAYERS)


def test_diverted_version_gives_its_players_to_another_and_the_others_stay() -> None:
    traffic = Traffic(catalog_of({"a": 30.0, "b": 30.0, "c": 40.0}))
    before = {player: traffic.version_of(player) for player in PLAYERS}
    traffic.divert("b", "c")
    assert {player: traffic.version_of(player) for player in PLAYERS} == {
        player: "c" if version == "b" else version for player, version in before.items()
    }
    assert traffic.shares == {"a": 30, "b": 0, "c": 70}
    traffic.restore("b")
    assert {player: traffic.version_of(player) for player in PLAYERS} == before


def test_players_of_a_version_that_cannot_be_served_are_shared_in_proportion() -> None:
    traffic = Traffic(catalog_of({"a": 60.0, "b": 20.0, "c": 20.0, "d": 0.0}))
    before = {player: traffic.version_of(player) for player in PLAYERS}
    traffic.divert("b")
    assert traffic.shares == {"a": 75, "b": 0, "c": 25, "d": 0}
    assert all(traffic.version_of(player) == version for player, version in before.items() if version != "b")
    assert traffic.expected == {"a", "b", "c"}
