"""Exploration: the probabilities add up, the draws have them, and the share of the players is the same all day."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mesh.decision_id import time_ms
from mesh.exploration import Explore, chances, drawn, is_explorer, propensity

DRAWS = 100_000
DAY_MS = 86_400_000
KEYS = [0.31, 0.3, 0.22, 0.22, 0.05]
VOTES = np.array([[1, 2, 0, 0, 0], [3, 1, 0, 0, 0], [0, 0, 0, 4, 4], [9, 9, 9, 9, 9.0]])
WEIGHTS = (1.0, 2.0, 0.5, 4.0)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def explore(kind: str, **fields: Any) -> Explore:
    return Explore.model_validate({"kind": kind, "share": 2, **fields})


def decision(number: int, at_ms: int = 1_796_119_200_000) -> str:
    """A decision id of the millisecond `at_ms`, another one for each number."""
    digits = f"{at_ms << 80 | 7 << 76 | 2 << 62 | number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


KINDS = {
    "epsilon": explore("epsilon"),
    "softmax": explore("softmax"),
    "softmax cold": explore("softmax", temperature=0.05),
    "thompson_votes": explore("thompson_votes"),
}


def probabilities(kind: Explore, keys: Sequence[float] = KEYS) -> list[float]:
    return chances(kind, keys, VOTES, WEIGHTS)


def independent(kind: Explore, keys: Sequence[float], votes: NDArray[np.float64], weights: Sequence[float]) -> Any:
    """The probabilities as the documentation describes them, computed in another way."""
    values = np.nan_to_num(np.array(keys, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf).astype(np.longdouble)
    if kind.kind == "epsilon":
        found = np.ones(len(values), np.longdouble)
    elif kind.kind == "softmax":
        finite = values[np.isfinite(values)]
        if not np.isfinite(values.max()):
            found = (values == values.max()).astype(np.longdouble)
        else:
            spread = (finite.max() - finite.min()) or np.longdouble(1)
            found = np.exp((values - values.max()) / spread / np.longdouble(kind.temperature or 0.5))
    else:
        found = np.zeros(len(values), np.longdouble)
        for vote, weight in zip(votes, weights, strict=True):
            clean = [-math.inf if math.isnan(one) else float(one) for one in vote]
            found[clean.index(max(clean))] += weight
    return found / found.sum()


@pytest.mark.parametrize("name", KINDS)
def test_draws_have_their_probabilities(name: str) -> None:
    expected = probabilities(KINDS[name])
    found = Counter(drawn(expected, decision(number)) for number in range(DRAWS))
    possible = [place for place, chance in enumerate(expected) if chance > 0]
    assert set(found) <= set(possible)
    total = sum(expected)
    test = stats.chisquare(
        [found[place] for place in possible], [expected[place] / total * DRAWS for place in possible]
    )
    assert test.pvalue > 0.001


def test_probabilities_are_the_documented_ones() -> None:
    assert probabilities(KINDS["epsilon"]) == [0.2] * 5
    assert probabilities(KINDS["thompson_votes"]) == [6 / 7.5, 1 / 7.5, 0, 0.5 / 7.5, 0]  # ties: the higher rank
    soft = probabilities(KINDS["softmax"])
    assert soft[0] / soft[4] == pytest.approx(math.exp(2), rel=1e-14)
    assert soft[2] == soft[3]


@given(st.data())
def test_probabilities_add_up_to_one_for_any_votes(data: st.DataObject) -> None:
    top, voters = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 6))
    kind = data.draw(st.sampled_from(list(KINDS.values())))
    keys = sorted(data.draw(st.lists(ANY, min_size=top, max_size=top)), key=lambda key: (key != key, -key))
    votes = np.array(data.draw(st.lists(st.lists(ANY, min_size=top, max_size=top), min_size=voters, max_size=voters)))
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=voters, max_size=voters))
    found = chances(kind, keys, votes, weights)
    assert len(found) == top
    assert all(0 <= chance <= 1 for chance in found)
    assert math.fsum(found) == pytest.approx(1, abs=1e-12)
    assert math.fsum(propensity(kind, found, place) for place in range(top)) == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx([float(one) for one in independent(kind, keys, votes, weights)], abs=1e-12)
    assert found[drawn(found, decision(data.draw(st.integers(0, 2**60))))] > 0


@given(st.lists(ANY, min_size=1, max_size=6), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_softmax_does_not_depend_on_the_unit_of_the_keys(keys: list[float], scale: float, shift: float) -> None:
    whole = sorted((round(key, 3) for key in keys if abs(key) < 1e3), reverse=True) or [0.0]
    found = chances(KINDS["softmax"], whole)
    assert chances(KINDS["softmax"], [key * scale + shift for key in whole]) == pytest.approx(found, abs=1e-6)


@given(st.lists(ANY, min_size=2, max_size=6))
def test_softmax_gives_a_better_offer_no_lower_probability(keys: list[float]) -> None:
    order = sorted((key for key in keys if key == key), reverse=True) or [0.0]
    found = chances(KINDS["softmax"], order)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([2.0, 2.0, 2.0], [1 / 3] * 3),  # ties
        ([-math.inf] * 4, [0.25] * 4),  # no offer has a price
        ([1.0, -math.inf], [1.0, 0.0]),
        ([math.inf, math.inf, 3.0], [0.5, 0.5, 0.0]),
        ([math.nan, math.nan], [0.5, 0.5]),
        ([5.0, math.nan], [1.0, 0.0]),
        ([7.0], [1.0]),
    ],
)
def test_softmax_of_keys_that_are_equal_or_not_finite(keys: list[float], expected: list[float]) -> None:
    assert chances(KINDS["softmax"], keys) == expected


def test_softmax_of_the_largest_numbers_is_finite() -> None:
    most = 1.7e308
    found = chances(KINDS["softmax"], [most, 0.0, -most])
    assert found == pytest.approx(chances(KINDS["softmax"], [1.0, 0.0, -1.0]), abs=1e-15)


def test_draw_and_probabilities_have_the_documented_bits() -> None:
    """The values of one machine: a decision that is replayed on another one must find them again."""
    found = probabilities(KINDS["softmax"])
    assert [chance.hex() for chance in found[:2]] == ["0x1.4e6835d63ba58p-2", "0x1.35a5dee97c29cp-2"]
    assert [drawn(found, decision(number)) for number in range(12)] == [3, 3, 1, 3, 0, 1, 1, 1, 3, 2, 3, 4]
    assert propensity(KINDS["softmax"], found, 0) == 0.98 + 0.02 * found[0]
    assert propensity(KINDS["softmax"], found, 1) == 0.02 * found[1]


def test_player_is_an_explorer_all_day_and_in_no_other_way_the_next() -> None:
    midnight_ms = time_ms(decision(0)) // DAY_MS * DAY_MS
    days: list[set[str]] = [set(), set()]
    for day, players in enumerate(days):
        for number in range(20_000):
            first, last = (decision(number, midnight_ms + day * DAY_MS + ms) for ms in (0, DAY_MS - 1))
            is_one = is_explorer(KINDS["epsilon"], "g/", f"p{number}", first)
            assert is_explorer(KINDS["epsilon"], "g/", f"p{number}", last) is is_one
            if is_one:
                players.add(f"p{number}")
    today, tomorrow = days
    assert stats.binomtest(len(today), 20_000, 0.02).pvalue > 0.001
    assert stats.binomtest(len(tomorrow), 20_000, 0.02).pvalue > 0.001
    assert len(today & tomorrow) < 30  # 8 expected


def test_larger_share_keeps_its_explorers() -> None:
    small = {p for p in range(5_000) if is_explorer(explore("epsilon", share=2), "g/", f"p{p}", decision(1))}
    large = {p for p in range(5_000) if is_explorer(explore("epsilon", share=20), "g/", f"p{p}", decision(1))}
    assert small < large
    assert all(is_explorer(explore("epsilon", share=100), "g/", f"p{p}", decision(1)) for p in range(100))


def test_explorer_is_found_by_the_documented_hash() -> None:
    # b2sum -l 64 of "explore/20788/g/p1", big-endian, as a share of 2**64: 98.96206
    assert is_explorer(explore("epsilon", share=98.963), "g/", "p1", decision(1))
    assert not is_explorer(explore("epsilon", share=98.962), "g/", "p1", decision(1))


def test_thompson_votes_without_votes_is_a_bug() -> None:
    with pytest.raises(ValueError, match="needs the votes"):
        chances(KINDS["thompson_votes"], KEYS)


@pytest.mark.parametrize(
    "fields", [{"share": 0}, {"share": 101}, {"top": 1}, {"temperature": 0.01}, {"kind": "greedy"}]
)
def test_wrong_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Explore.model_validate({"kind": "softmax", "share": 2, **fields})


def test_default_temperature_is_part_of_the_block() -> None:
    assert KINDS["softmax"].model_dump() == {"kind": "softmax", "share": 2.0, "top": 5, "temperature": 0.5}
    assert KINDS["epsilon"].temperature is None
