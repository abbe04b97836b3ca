from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ensemble_mesh_client.preference import choose, fnv1a, most_open, ordered, rank

VECTORS: dict[str, Any] = json.loads(Path("clients/conformance/preference.json").read_text())
ADDRESSES = [f"10.0.0.{number}:9000" for number in range(1, 5)]


def test_hashes_ranks_orders_and_bounds_are_those_of_all_clients() -> None:
    assert {text: f"{fnv1a(text):016x}" for text in VECTORS["hashes"]} == VECTORS["hashes"]
    for one in VECTORS["ranks"]:
        assert f"{rank(fnv1a(one['address']), fnv1a(one['player'])):016x}" == one["rank"]
    for one in VECTORS["orders"]:
        assert ordered(one["player"], sorted(one["order"]), fnv1a) == one["order"]
    for one in VECTORS["most_open"]:
        assert most_open(one["total"], one["supervisors"]) == one["most_open"]


def test_published_hash_of_fnv1a() -> None:
    assert fnv1a("foobar") == 0x85944171F73967E8  # from the FNV reference code


def test_players_are_spread_evenly() -> None:
    first = Counter(ordered(f"player-{number:05}", ADDRESSES, fnv1a)[0] for number in range(8000))
    assert all(1800 < count < 2200 for count in first.values())


def test_only_the_players_of_a_removed_supervisor_move() -> None:
    for number in range(500):
        before = ordered(f"player-{number}", ADDRESSES, fnv1a)
        after = ordered(f"player-{number}", ADDRESSES[1:], fnv1a)
        assert after == [one for one in before if one != ADDRESSES[0]]


def test_first_choice_that_is_not_overloaded_gets_the_question() -> None:
    opened = {"a": 36, "b": 12, "c": 0}
    assert choose(["a", "b", "c"], lambda _: True, opened.__getitem__) == "b"  # at most ceil(1.25 x 49 / 3) = 21
    assert choose(["c", "b", "a"], lambda _: True, {"a": 0, "b": 0, "c": 15}.__getitem__) == "c"  # 15 are not a load
    assert choose(["a", "b", "c"], lambda one: one == "a", opened.__getitem__) == "a"
    assert choose(["a", "b", "c"], lambda _: False, opened.__getitem__) is None
