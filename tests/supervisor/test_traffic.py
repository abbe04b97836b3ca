"""Assignment of players to versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import pytest
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


def test_players_of_a_version_that_cannot_be_served_are_shared_in_proportion() -> None:
    traffic = Traffic(catalog_of({"a": 60.0, "b": 20.0, "c": 20.0, "d": 0.0}))
    before = {player: traffic.version_of(player) for player in PLAYERS}
    traffic.divert("b")
    assert traffic.shares == {"a": 75, "b": 0, "c": 25, "d": 0}
    assert all(traffic.version_of(player) == version for player, version in before.items() if version != "b")
    assert traffic.expected == {"a", "b", "c"}
    traffic.restore("b")
    assert {player: traffic.version_of(player) for player in PLAYERS} == before


def test_version_that_can_be_served_again_gets_no_players_if_its_guard_has_tripped() -> None:
    traffic = Traffic(catalog_of({"a": 60.0, "b": 40.0}))
    traffic.divert("b", "a")
    traffic.divert("b")
    traffic.restore("b")
    assert traffic.shares == {"a": 100, "b": 0}


START_S = 1_796_119_200.0  # 2026-12-01T10:00:00Z
PLAN = {"start": "2026-12-01T10:00:00Z", "steps": [1, 5, 25, 100], "hold_s": 900}


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, now_s: float = START_S - 1) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def planned(clock: Clock, others: Mapping[str, float], version: str = "new", **plan: Any) -> Traffic:
    versions: dict[str, float | Mapping[str, Any]] = {**others, version: {"rollout": {**PLAN, **plan}}}
    return Traffic(catalog_of(versions), clock)


@pytest.mark.parametrize(
    ("after_s", "share"),
    [(-1e6, 0), (-0.001, 0), (0, 1), (899.999, 1), (900, 5), (1800, 25), (2699, 25), (2700, 100), (1e9, 100)],
)
def test_rollout_is_a_function_of_the_wall_clock(after_s: float, share: float) -> None:
    clock = Clock(START_S + after_s)
    fresh, old = planned(clock, {"old": 100.0}), planned(clock, {"old": 100.0})
    assert fresh.shares == {"old": 100 - share, "new": share}
    clock.now_s = START_S + 1000
    old.version_of("p1")
    clock.now_s = START_S + after_s
    assert [old.version_of(player) for player in PLAYERS[:500]] == [
        fresh.version_of(player) for player in PLAYERS[:500]
    ]


def test_rollout_between_two_versions_moves_the_players_that_the_same_traffic_moves() -> None:
    for new, old in (("2", "1"), ("1", "2")):
        traffic = planned(Clock(START_S + 1800), {old: 100.0}, new)
        assert {player for player in PLAYERS if traffic.version_of(player) == new} == players_of(
            new, {old: 75, new: 25}
        )


@given(
    name=st.sampled_from(["0", "a1", "b1", "z"]),
    weights=st.lists(st.integers(0, 10), min_size=3, max_size=3).filter(any),
    steps=st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True).map(sorted),
    players=st.lists(st.text("0123456789", min_size=1, max_size=8), min_size=1, max_size=50),
)
def test_rollout_moves_players_only_to_the_new_version(
    name: str, weights: list[int], steps: list[int], players: list[str]
) -> None:
    shares = {one: 100 * weight / sum(weights) for one, weight in zip("abc", weights, strict=True)}
    clock = Clock()
    traffic = planned(clock, shares, name, steps=steps)
    before = {player: traffic.version_of(player) for player in players}
    assert before == {player: assign(player, shares) for player in players}
    for number, step in enumerate(steps):
        clock.now_s = START_S + 900 * number
        after = {player: traffic.version_of(player) for player in players}
        assert all(after[player] in (name, version) for player, version in before.items())
        expected = {one: share * (100 - step) / 100 for one, share in shares.items()} | {name: step}
        assert traffic.shares == pytest.approx(expected, abs=1e-6)
        before = after


def test_clock_that_steps_back_returns_to_the_step_before() -> None:
    clock = Clock(START_S + 1)
    traffic = planned(clock, {"old": 100.0})
    first = [traffic.version_of(player) for player in PLAYERS[:2000]]
    clock.now_s += 900
    assert [traffic.version_of(player) for player in PLAYERS[:2000]] != first
    clock.now_s -= 900
    assert [traffic.version_of(player) for player in PLAYERS[:2000]] == first


def test_step_is_computed_once() -> None:
    clock = Clock(START_S + 1)
    traffic = planned(clock, {"old": 100.0})
    table = traffic._in_force
    clock.now_s += 898
    assert traffic.version_of("p1")
    assert traffic._in_force is table
    clock.now_s += 1
    assert traffic.version_of("p1")
    assert traffic._in_force is not table


def test_version_with_a_rollout_is_expected_before_its_first_player() -> None:
    clock = Clock()
    traffic = planned(clock, {"old": 100.0, "none": 0.0})
    assert traffic.expected == {"old", "new"}
    clock.now_s = START_S + 2700
    assert traffic.expected == {"new"}


def test_rollout_goes_on_for_versions_that_give_their_players_away() -> None:
    clock = Clock(START_S)
    traffic = planned(clock, {"a": 50.0, "b": 50.0})
    traffic.divert("new", "a")
    assert traffic.shares == {"a": 50.5, "b": 49.5, "new": 0}
    clock.now_s += 900
    assert {traffic.version_of(player) for player in PLAYERS[:1000]} == {"a", "b"}
    assert traffic.shares == {"a": 52.5, "b": 47.5, "new": 0}


def test_version_that_waits_during_its_rollout_leaves_all_players_where_they_were() -> None:
    clock = Clock(START_S)
    traffic = planned(clock, {"a": 60.0, "b": 40.0, "shadow": 0.0})
    traffic.divert("new")
    before = [traffic.version_of(player) for player in PLAYERS[:1000]]
    clock.now_s += 2700  # all players
    assert [traffic.version_of(player) for player in PLAYERS[:1000]] == before
    assert traffic.shares == {"a": 60, "b": 40, "shadow": 0, "new": 0}
    traffic.restore("new")
    assert traffic.shares == {"a": 0, "b": 0, "shadow": 0, "new": 100}
