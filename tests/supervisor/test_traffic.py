"""Assignment of players to versions."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from supervisor.traffic import assign

PLAYERS = [f"player-{number}" for number in range(20_000)]


def test_player_keeps_the_version() -> None:
    shares = {"a": 50.0, "b": 50.0}
    assert [assign("g", player, shares) for player in PLAYERS[:200]] == [
        assign("g", player, shares) for player in PLAYERS[:200]
    ]


def test_position_of_a_player_is_the_documented_hash() -> None:
    # b2sum -l 64 of "dragonfall/p1", big-endian, as a share of 2**64: the same on every supervisor, always
    assert assign("dragonfall", "p1", {"1-below": 33.801, "2-above": 66.199}) == "2-above"
    assert assign("dragonfall", "p1", {"1-below": 33.802, "2-above": 66.198}) == "1-below"


def test_versions_get_their_shares() -> None:
    counts = Counter(assign("g", player, {"a": 90.0, "b": 10.0}) for player in PLAYERS)
    assert abs(counts["b"] / len(PLAYERS) - 0.1) < 0.01


def test_version_whose_share_grows_keeps_its_players() -> None:
    before = {player for player in PLAYERS if assign("g", player, {"new": 10.0, "old": 90.0}) == "new"}
    after = {player for player in PLAYERS if assign("g", player, {"new": 25.0, "old": 75.0}) == "new"}
    assert before < after


def test_order_of_the_versions_in_the_catalog_does_not_matter() -> None:
    one, other = {"a": 30.0, "b": 70.0}, {"b": 70.0, "a": 30.0}
    assert [assign("g", player, one) for player in PLAYERS[:200]] == [
        assign("g", player, other) for player in PLAYERS[:200]
    ]


def test_version_with_share_zero_gets_no_players() -> None:
    shares = {"none-first": 0.0, "all": 100.0, "none-last": 0.0}
    assert {assign("g", player, shares) for player in PLAYERS} == {"all"}


def test_games_assign_players_independently() -> None:
    shares = {"a": 50.0, "b": 50.0}
    same = sum(assign("g", player, shares) == assign("h", player, shares) for player in PLAYERS)
    assert abs(same / len(PLAYERS) - 0.5) < 0.02


@given(player=st.text("aé-7\n", min_size=1, max_size=30), parts=st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_every_player_gets_a_version_with_a_share_above_zero(player: str, parts: list[int]) -> None:
    total = sum(parts)
    if not total:
        return
    shares = {f"v{number}": 100 * part / total for number, part in enumerate(parts)}
    assert shares[assign("g", player, shares)] > 0
