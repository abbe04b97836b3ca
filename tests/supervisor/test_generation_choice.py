"""Which generation of a model gets new rows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from supervisor.generation_choice import choose


@dataclass(eq=False)
class Files:
    sha256: str
    lanes_up: int


def chosen(lanes: dict[str, int], in_use: str, wanted: str | None = None) -> str:
    """The name of the chosen generation; `lanes` has the lanes that are up, in the order of the generations."""
    generations = {name: Files(name, count) for name, count in lanes.items()}
    return choose(list(generations.values()), generations[in_use], wanted).sha256


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ({"old": 3, "new": 0}, "old"),
        ({"old": 3, "new": 2}, "old"),
        ({"old": 2, "new": 2}, "new"),
        ({"old": 1, "new": 3}, "new"),
        ({"old": 0, "new": 1}, "new"),
    ],
)
def test_newest_file_gets_the_rows_once_it_has_as_many_lanes(lanes: dict[str, int], expected: str) -> None:
    assert chosen(lanes, "old") == expected


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ({"old": 2, "new": 1}, "new"),
        ({"old": 3, "new": 1}, "old"),
        ({"old": 3, "new": 2}, "new"),
        ({"old": 1, "new": 0}, "old"),
    ],
)
def test_file_in_use_gives_way_only_when_it_has_few_lanes(lanes: dict[str, int], expected: str) -> None:
    assert chosen(lanes, "new") == expected


def test_file_that_the_catalog_wants_comes_before_the_newest() -> None:
    assert chosen({"a": 2, "b": 2}, "b", wanted="a") == "a"
    assert chosen({"a": 1, "b": 2}, "b", wanted="a") == "b"


def test_file_in_use_stays_while_the_wanted_one_is_not_there() -> None:
    assert chosen({"a": 2, "b": 2}, "a", wanted="c") == "a"
    assert chosen({"a": 0, "b": 1, "c": 2}, "a", wanted="d") == "c"


def test_nothing_changes_while_no_lane_is_up() -> None:
    assert chosen({"a": 0, "b": 0}, "a") == "a"


def test_rolling_replacement_switches_once() -> None:
    for replicas in range(1, 9):
        in_use, switches = "old", 0
        for step in range(2 * replicas + 1):  # a new replica comes, an old one leaves, and so on
            lanes = {"old": replicas - step // 2, "new": (step + 1) // 2}
            after = chosen(lanes, in_use)
            switches += after != in_use
            in_use = after
        assert (in_use, switches) == ("new", 1)
