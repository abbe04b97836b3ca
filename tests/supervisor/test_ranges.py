"""Ranges of positions: how they are divided, and where the players of a diverted version go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.ranges import Range, Ranges, divert, divide, stay

VERSIONS = ("a", "b", "c", "d")


def shares_after(shares: dict[str, float], to: dict[str, str], without: set[str]) -> dict[str, float]:
    return divert(divide(shares), tuple(shares), to, without).shares(tuple(shares))


@pytest.mark.parametrize(
    ("to", "without", "expected"),
    [
        ({}, set(), {"a": 50, "b": 30, "c": 20, "d": 0}),
        ({"a": "d"}, set(), {"a": 0, "b": 30, "c": 20, "d": 50}),
        ({"a": "b", "b": "c"}, set(), {"a": 0, "b": 0, "c": 100, "d": 0}),  # a chain of guards
        ({}, {"a"}, {"a": 0, "b": 60, "c": 40, "d": 0}),
        ({}, {"a", "b", "c"}, {"a": 0, "b": 0, "c": 0, "d": 100}),
        ({}, {"a", "b", "c", "d"}, {"a": 50, "b": 30, "c": 20, "d": 0}),  # no other version
        ({"a": "b"}, {"b"}, {"a": 50, "b": 0, "c": 50, "d": 0}),  # a cannot give to b, and takes none of b's players
        ({"a": "b", "b": "c"}, {"c"}, {"a": 0, "b": 80, "c": 0, "d": 20}),
    ],
)
def test_players_of_diverted_versions(to: dict[str, str], without: set[str], expected: dict[str, float]) -> None:
    assert shares_after({"a": 50, "b": 30, "c": 20, "d": 0}, to, without) == expected


def test_players_go_evenly_to_versions_without_players_if_no_other_has_any() -> None:
    assert shares_after({"a": 100, "b": 0, "c": 0}, {}, {"a"}) == {"a": 0, "b": 50, "c": 50}


def test_players_go_to_the_version_that_has_those_of_a_guard_rather_than_to_one_without_players() -> None:
    shares = {"a": 50.0, "b": 50.0, "c": 0.0, "d": 0.0}
    assert shares_after(shares, {"b": "c"}, {"a"}) == {"a": 0, "b": 0, "c": 100, "d": 0}


def test_players_go_to_a_version_whose_guard_has_tripped_if_no_other_is_left() -> None:
    assert shares_after({"a": 50, "b": 50}, {"a": "b"}, {"b"}) == {"a": 100, "b": 0}


@given(
    weights=st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any),
    to=st.dictionaries(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS), max_size=4),
    without=st.sets(st.sampled_from(VERSIONS)),
    position=st.floats(0, 100, exclude_max=True),
)
def test_only_the_players_of_diverted_versions_move(
    weights: list[int], to: dict[str, str], without: set[str], position: float
) -> None:
    before = divide({name: 100 * weight / sum(weights) for name, weight in zip(VERSIONS, weights, strict=True)})
    after = divert(before, VERSIONS, to, without)
    assert_covers(after)
    version = before.at(position)
    if version not in to and version not in without:
        assert after.at(position) == version
    if len(without) < len(VERSIONS):
        assert after.at(position) not in without


def assert_covers(ranges: Ranges) -> None:
    edges = [(part.low, part.high) for part in ranges.parts]
    assert edges[0][0] == 0
    assert [high for _, high in edges[:-1]] == [low for low, _ in edges[1:]]
    assert edges[-1][1] == pytest.approx(100)


def test_players_of_a_version_that_waits_stay_where_they_were() -> None:
    before, after = divide({"a": 50, "c": 50}), divide({"a": 40, "b": 20, "c": 40})
    assert stay(after, before, {"b"}).parts == (
        Range("a", 0, 40),
        Range("a", 40, 50),
        Range("c", 50, 60),
        Range("c", 60, 100),
    )


def test_players_whose_version_before_has_no_players_do_not_stay() -> None:
    before, after = divide({"a": 50, "c": 50}), divide({"a": 80, "b": 20, "c": 0})
    assert stay(after, before, {"b"}).parts == after.parts
