"""The sampler: the bound of the rate, equal chances, and the rows that it takes."""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesh.players.features import Columns, PlayerFeatures
from supervisor.drift.sample import AIM, FLUSH_S, MAX_WAITING, RATE, Sampler

COLUMNS = Columns(("level",), ())
CANDIDATES = 5


def party(first: int, requests: int, *, offers: int = CANDIDATES, scored_row: int | None = None) -> Any:
    """A party whose players have their numbers as level; the vote on a row is its number in the party."""
    rows = max(1, offers)
    seats = [
        SimpleNamespace(
            ticket=SimpleNamespace(
                passenger=SimpleNamespace(rows=rows, offers=tuple(range(offers)), context={}),
                scored_row=scored_row,
                is_pinned=False,
            ),
            span=slice(place * rows, (place + 1) * rows),
            player=SimpleNamespace(features=PlayerFeatures(np.float64(first + place).tobytes(), (), 0.0)),
        )
        for place in range(requests)
    ]
    votes = np.arange(requests * rows, dtype=float)[None, :]
    return SimpleNamespace(seats=seats, rows=SimpleNamespace(columns=COLUMNS), ballot=SimpleNamespace(votes=votes))


def level(sample: Any) -> int:
    return int(np.frombuffer(sample.player.numbers)[0])


def test_every_request_is_taken_while_there_are_few() -> None:
    sampler = Sampler(Random(1))
    assert sampler.offer(party(0, 3))
    assert sampler.offer(party(3, 2))
    assert [level(one) for one in sampler.drain(FLUSH_S)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("load", [40, 1_000, 20_000])
def test_rate_has_a_bound_at_any_load(load: int) -> None:
    sampler, taken = Sampler(Random(1)), []
    for _ in range(50):
        for start in range(0, load, 8):
            sampler.offer(party(start, 8))
        taken.append(len(sampler.drain(FLUSH_S)))
    assert max(taken) <= MAX_WAITING == RATE * FLUSH_S
    assert np.mean(taken[1:]) > 0.9 * AIM


def test_every_request_of_a_steady_load_has_the_same_chance() -> None:
    sampler, found = Sampler(Random(1)), Counter[int]()
    parties = [party(start, 7) for start in range(0, 210, 7)]  # 210 requests in each flush
    for _ in range(4_000):
        for one in parties:
            sampler.offer(one)
        found.update(level(sample) for sample in sampler.drain(FLUSH_S))
    total = sum(found.values())
    expected = total / 210
    # The last requests of a flush have a little less: the bound may be reached before them.
    assert min(found[place] for place in range(210)) > 0.75 * expected
    assert max(found.values()) < 1.3 * expected


def test_sample_is_a_random_candidate_with_its_votes() -> None:
    sampler, offers = Sampler(Random(1)), Counter[int]()
    for _ in range(2_000):
        sampler.offer(party(0, 2))
        for sample in sampler.drain(FLUSH_S):
            offers[sample.offer] += 1
            assert sample.votes.tolist() == [level(sample) * CANDIDATES + sample.offer]
    assert set(offers) == set(range(CANDIDATES))
    assert min(offers.values()) > 0.85 * 4_000 / CANDIDATES


def test_request_of_one_score_gives_its_row() -> None:
    sampler = Sampler(Random(1))
    sampler.offer(party(0, 2, scored_row=3))
    assert [one.offer for one in sampler.drain(FLUSH_S)] == [3, 3]


def test_game_without_offers_gives_no_offer() -> None:
    sampler = Sampler(Random(1))
    sampler.offer(party(0, 1, offers=0))
    assert [(one.offer, one.votes.tolist()) for one in sampler.drain(FLUSH_S)] == [(-1, [0.0])]


def test_pinned_request_and_player_without_features_are_not_taken() -> None:
    sampler, some = Sampler(Random(1)), party(0, 3)
    some.seats[0].player.features = None
    some.seats[1].ticket.is_pinned = True
    sampler.offer(some)
    assert [level(one) for one in sampler.drain(FLUSH_S)] == [2]
