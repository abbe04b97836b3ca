"""Drawn offers of an ensemble of real LightGBM models: their propensities, and how often they come first."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mesh.catalog.catalog import Catalog
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.version import Combine
from mesh.exploration import Explore
from supervisor.combine import combine
from supervisor.exploration import Exploration, exploration_of
from supervisor.ranking import Ranking
from supervisor.rows import Passenger
from supervisor.ticket import Ticket

DECISIONS = 100_000
OFFERS, MODELS = 8, 15
PRICES = (4.99, 0.99, 9.99, math.nan, 1.99, 2.99, 49.99, 2.99)  # one without a price
WEIGHTS = tuple(1.0 + model % 3 for model in range(MODELS))
KINDS = ("epsilon", "softmax", "thompson_votes")


@cache
def forest_votes() -> NDArray[np.float64]:
    """The votes of bagged models on the offers of one player [models, offers]."""
    random = np.random.default_rng(7)
    rows = np.column_stack([random.normal(size=(4000, 3)), random.integers(0, OFFERS, 4000)])
    bought = random.random(4000) < 1 / (1 + np.exp(2 + 0.3 * rows[:, 3] - rows[:, 0]))
    player = np.column_stack([np.tile([0.4, -0.2, 1.1], (OFFERS, 1)), np.arange(OFFERS)])
    votes = []
    for seed in range(MODELS):
        sample = random.integers(0, 4000, 400)
        data = lightgbm.Dataset(rows[sample], bought[sample], params={"verbosity": -1})
        settings = {"objective": "binary", "num_leaves": 7, "seed": seed, "verbosity": -1, "num_threads": 1}
        votes.append(lightgbm.train(settings, data, 20).predict(player))
    return np.array(votes)


def exploration(kind: str, share: float, *, by_revenue: bool = True, offers: int = OFFERS) -> Exploration:
    ids = tuple(f"offer-{place}" for place in range(offers))
    table = OffersTable(ids, {offer: place for place, offer in enumerate(ids)}, PRICES[:offers], {}, {})
    explore = Explore.model_validate({"kind": kind, "share": share, "top": 5})
    return Exploration(explore, Ranking(table, by_revenue), "g/", WEIGHTS)


def ticket(candidates: Sequence[int] = range(OFFERS), limit: int = 1) -> Ticket:
    return Ticket("p", Passenger({}, candidates), limit, None, 0.0, 1.0, answer=None)  # type: ignore[arg-type]


def weighted(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    return combine(Combine(kind="weighted_mean"), votes, WEIGHTS, [slice(0, votes.shape[1])])


@pytest.mark.parametrize("kind", KINDS)
def test_offers_come_first_as_often_as_their_propensities_say(kind: str) -> None:
    votes, exploring, asked = forest_votes(), exploration(kind, 30), ticket()
    scores, firsts, drawn = weighted(votes), Counter[str](), 0
    chances: dict[str, float] = {}
    for number in range(DECISIONS):
        asked.player_id = f"p{number}"
        asked.decision_id = f"01a2310c-0100-7000-8000-{number:012x}"
        found = exploring.rank(asked, scores, votes)
        first = found.offers[0].offer_id
        firsts[first] += 1
        drawn += found.is_drawn
        assert chances.setdefault(first, found.propensity) == found.propensity
    assert math.fsum(chances.values()) == pytest.approx(1, abs=1e-12)
    assert len(chances) > 2
    assert stats.chisquare([firsts[one] for one in chances], [p * DECISIONS for p in chances.values()]).pvalue > 0.001
    assert stats.binomtest(drawn, DECISIONS, 0.3).pvalue > 0.001


def test_thompson_votes_counts_the_weight_of_the_models_whose_best_it_is() -> None:
    votes, asked = forest_votes(), ticket()
    scores = weighted(votes)
    values = [score * price if price == price else -math.inf for score, price in zip(scores, PRICES, strict=True)]
    top = sorted(range(OFFERS), key=lambda place: -values[place])[:5]
    weight: dict[str, float] = defaultdict(float)
    for model in range(MODELS):
        own = {place: votes[model, place] * PRICES[place] for place in top}
        weight[f"offer-{max(own, key=own.__getitem__)}"] += WEIGHTS[model]
    exploring, found = exploration("thompson_votes", 100), {}
    for number in range(2_000):
        asked.decision_id = f"01a2310c-0100-7000-8000-{number:012x}"
        drawn = exploring.rank(asked, scores, votes)
        found[drawn.offers[0].offer_id] = drawn.propensity
    assert found == pytest.approx({offer: one / sum(WEIGHTS) for offer, one in weight.items()}, abs=1e-12)
    assert len(found) > 1


def test_model_that_voted_on_some_offers_only_does_not_count() -> None:
    votes = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 9.0, math.nan]])
    exploring = replace(exploration("thompson_votes", 100, by_revenue=False, offers=3), weights=(1.0, 3.0, 9.0))
    asked, found = ticket(range(3)), {}
    for number in range(200):
        asked.decision_id = f"01a2310c-0100-7000-8000-{number:012x}"
        drawn = exploring.rank(asked, np.array([1.5, 2.0, 2.5]), votes)
        found[drawn.offers[0].offer_id] = drawn.propensity
    assert found == {"offer-0": 0.25, "offer-2": 0.75}


@given(st.data())
def test_others_keep_the_order_of_the_ranking(data: st.DataObject) -> None:
    candidates = data.draw(st.permutations(range(OFFERS)))[: data.draw(st.integers(2, OFFERS))]
    asked = ticket(candidates, data.draw(st.integers(1, len(candidates))))
    few = st.sampled_from([0.0, 0.25, 0.5, math.inf])
    voters = data.draw(st.integers(1, MODELS))
    votes = np.array([data.draw(st.lists(few, min_size=len(candidates), max_size=len(candidates)))] * voters)
    exploring = exploration(data.draw(st.sampled_from(KINDS)), 100, by_revenue=data.draw(st.booleans()))
    scores = votes[0]
    found = exploring.rank(asked, scores, votes)
    ranked = exploring.ranking.best(candidates, scores, len(candidates))
    first = found.offers[0]
    assert first in ranked[:5]
    assert found.offers == (first, *(offer for offer in ranked if offer != first))[: asked.limit]
    assert found.propensity > 0


@pytest.mark.parametrize(("kind", "weights"), [("weighted_mean", (1.0, 2.0)), ("mean", (1.0, 1.0))])
def test_only_weighted_mean_weighs_the_models(kind: str, weights: tuple[float, ...]) -> None:
    models = [
        {"name": "m0", "uri": "m.txt"},
        {"name": "seen", "uri": "m.txt", "shadow": True, "weight": 7.0},
        {"name": "m1", "uri": "m.txt", "weight": 2.0},
    ]
    version = {"explore": {"kind": "epsilon", "share": 2}, "combine": {"kind": kind}, "models": models}
    catalog = Catalog.model_validate(
        {
            "game": "g",
            "features": {"path": "players.sqlite"},
            "assignment": {"salt": "s"},
            "versions": {"v1": version, "v2": {"models": models}},
        }
    )
    ranking = exploration("epsilon", 2).ranking
    found = exploration_of(catalog, catalog.versions["v1"], ranking)
    assert found is not None
    assert (found.weights, found.prefix) == (weights, "s/g/")
    assert exploration_of(catalog, catalog.versions["v2"], ranking) is None


def test_score_of_one_of_several_rows_is_not_explored() -> None:
    scored = ticket(limit=0)
    scored.scored_row = 2  # rank_mean ranks all offers to score one
    assert not exploration("epsilon", 100).applies_to(scored)
    assert exploration("epsilon", 100).applies_to(ticket())
