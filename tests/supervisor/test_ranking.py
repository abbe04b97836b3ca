"""Ranking the offers of one request."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.offers_table import OffersTable
from supervisor.ranking import Ranking

NAN = math.nan


def table(count: int, prices: Sequence[float] | None = None) -> OffersTable:
    ids = tuple(f"offer-{number}" for number in range(count))
    priced = None if prices is None else tuple(prices)
    return OffersTable(ids, {offer: place for place, offer in enumerate(ids)}, priced, {}, {})


def ids(offers: OffersTable, scores: Sequence[float], *, by_revenue: bool = False, limit: int = 99) -> list[str]:
    ranked = Ranking(offers, by_revenue).best(range(len(scores)), np.array(scores), limit)
    return [offer.offer_id for offer in ranked]


def test_best_score_is_first() -> None:
    assert ids(table(3), [0.1, 0.9, 0.5]) == ["offer-1", "offer-2", "offer-0"]


def test_ties_stay_in_candidate_order() -> None:
    offers = Ranking(table(4), False).best([3, 1, 2, 0], np.array([0.5, 0.7, 0.5, 0.5]), 9)
    assert [offer.offer_id for offer in offers] == ["offer-1", "offer-3", "offer-2", "offer-0"]


def test_limit_is_the_most_that_is_returned() -> None:
    assert ids(table(3), [0.1, 0.9, 0.5], limit=2) == ["offer-1", "offer-2"]


def test_expected_revenue_is_score_times_price() -> None:
    (best, second) = Ranking(table(2, [10.0, 2.0]), True).best([0, 1], np.array([0.25, 0.5]), 2)
    assert (best.offer_id, best.score, best.expected_revenue) == ("offer-0", 0.25, 2.5)
    assert (second.offer_id, second.score, second.expected_revenue) == ("offer-1", 0.5, 1.0)


def test_ranking_by_score_also_returns_the_expected_revenue() -> None:
    (best, _) = Ranking(table(2, [10.0, 2.0]), False).best([0, 1], np.array([0.25, 0.5]), 2)
    assert (best.offer_id, best.expected_revenue) == ("offer-1", 1.0)


def test_table_without_prices_has_no_expected_revenue() -> None:
    (best,) = Ranking(table(1), False).best([0], np.array([0.25]), 1)
    assert best.expected_revenue is None


def test_offer_without_a_price_ranks_last_by_expected_revenue() -> None:
    offers = table(3, [NAN, 1.0, 2.0])
    for limit in (1, 2, 3):
        best = ids(offers, [0.9, -0.5, 0.2], by_revenue=True, limit=limit)
        assert best == ["offer-2", "offer-1", "offer-0"][:limit]


def test_offer_without_a_price_keeps_its_rank_by_score() -> None:
    (best, _) = Ranking(table(2, [NAN, 1.0]), False).best([0, 1], np.array([0.9, 0.5]), 2)
    assert (best.offer_id, best.score, best.expected_revenue) == ("offer-0", 0.9, None)


def test_range_and_tuple_of_all_positions_rank_the_same() -> None:
    ranking, scores = Ranking(table(4, [4.0, 3.0, NAN, 1.0]), True), np.array([0.1, 0.2, 0.9, 0.5])
    assert ranking.best(range(4), scores, 4) == ranking.best((0, 1, 2, 3), scores, 4)


def test_prices_belong_to_the_candidates() -> None:
    (best, second) = Ranking(table(3, [1.0, 2.0, 8.0]), True).best((2, 0), np.array([0.25, 0.5]), 2)
    assert (best.offer_id, best.expected_revenue) == ("offer-2", 2.0)
    assert (second.offer_id, second.expected_revenue) == ("offer-0", 0.5)


@given(scores=st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=1, max_size=12), limit=st.integers(1, 15))
def test_ties_stay_in_candidate_order_at_any_limit(scores: list[float], limit: int) -> None:
    ranked = Ranking(table(len(scores)), False).best(range(len(scores)), np.array(scores), limit)
    expected = sorted(range(len(scores)), key=lambda place: -scores[place])[:limit]
    assert [offer.offer_id for offer in ranked] == [f"offer-{place}" for place in expected]


@given(scores=st.lists(st.floats(-1, 1), min_size=1, max_size=12), limit=st.integers(1, 15), data=st.data())
def test_ranking_equals_the_head_of_a_stable_sort(scores: list[float], limit: int, data: st.DataObject) -> None:
    candidates = data.draw(st.permutations(range(len(scores))))
    ranked = Ranking(table(len(scores)), False).best(candidates, np.array(scores), limit)
    expected = sorted(zip(candidates, scores, strict=True), key=lambda pair: -pair[1])[:limit]
    assert [(offer.offer_id, offer.score) for offer in ranked] == [(f"offer-{c}", s) for c, s in expected]
