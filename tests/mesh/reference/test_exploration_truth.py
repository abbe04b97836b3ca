"""Off-policy estimates from players who explore for a day, by each kind of `explore`, where the truth is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.dragonfall.offers import read_offers
from examples.dragonfall.simulation import draw_encounters, simulate_players
from examples.dragonfall.truth import revenue_of_every_offer
from mesh import exploration
from mesh.exploration import Explore
from mesh.reference import off_policy
from mesh.reference.off_policy import Evidence

POPULATION, LOGINS, MODELS = 2_000, 3, 5
PLAYERS, EXPERIMENTS = 1_000, 1_000
SHARE, OFFERS = 50, 6  # so many offers of the shop are candidates
KINDS = {
    "epsilon": Explore(kind="epsilon", share=SHARE, top=OFFERS),
    "softmax": Explore(kind="softmax", share=SHARE, top=OFFERS, temperature=0.5),
    "thompson_votes": Explore(kind="thompson_votes", share=SHARE, top=OFFERS),
}


@dataclass(frozen=True, slots=True)
class World:
    """The log-ins [player x log-in] of all players. The first model alone is the other version.

    `buys` [log-ins, offers] is the true probability of a purchase; `votes` [log-ins, models, offers] predict the
    revenue; `order` [log-ins, offers] ranks the offers by the mean of the votes.
    """

    buys: NDArray[np.float64]
    prices: NDArray[np.float64]
    votes: NDArray[np.float64]
    order: NDArray[np.int64]
    target: NDArray[np.int64]


@cache
def world() -> World:
    random, offers, players = np.random.default_rng(3), read_offers(), simulate_players(POPULATION)
    player = np.repeat(np.arange(POPULATION), LOGINS)
    every = revenue_of_every_offer(players, offers, draw_encounters(player, np.zeros_like(player), random))
    revenues, prices = every[:, :OFFERS], offers.prices[:OFFERS]
    votes = revenues[:, None, :] * np.exp(random.normal(0, 0.5, (len(player), MODELS, OFFERS)))
    order = np.argsort(-votes.mean(axis=1), axis=1, kind="stable")
    return World(revenues / prices, prices, votes, order, votes[:, 0].argmax(axis=1))


@cache
def chances(kind: str) -> NDArray[np.float64]:
    """The probabilities of the draws [log-ins, places in the order]."""
    game, found = world(), []
    for votes, order in zip(game.votes, game.order, strict=True):
        keys = votes.mean(axis=0)[order].tolist()
        found.append(exploration.chances(KINDS[kind], keys, votes[:, order], [1.0] * MODELS))
    return np.array(found)


@cache
def propensities(kind: str) -> NDArray[np.float64]:
    """The logged propensities, if an offer comes first [log-ins, places in the order]."""
    explore = KINDS[kind]
    return np.array(
        [[exploration.propensity(explore, row, at) for at in range(OFFERS)] for row in chances(kind).tolist()]
    )


def experiment(kind: str, seed: int) -> Evidence:
    """Draws players of the population, of whom a share explores at every log-in of the day."""
    random, game = np.random.default_rng(seed), world()
    numbers = random.integers(0, POPULATION, PLAYERS)
    rows = (numbers[:, None] * LOGINS + np.arange(LOGINS)).ravel()
    player = np.repeat(np.arange(PLAYERS), LOGINS)
    explores = (random.random(PLAYERS) < SHARE / 100)[player]
    of = chances(kind)[rows]
    drawn = (of.cumsum(axis=1) > random.random(len(rows))[:, None] * of.sum(axis=1)[:, None]).argmax(axis=1)
    place = np.where(explores, drawn, 0)
    propensity = propensities(kind)[rows, place]
    shown, target = game.order[rows, place], game.target[rows]
    bought = random.random(len(rows)) < game.buys[rows, shown]
    own = game.votes[rows, 0] / game.prices
    at = np.arange(len(rows))
    return Evidence(player, shown, target, propensity, bought.astype(np.float64), own[at, shown], own[at, target])


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover_what_the_other_version_would_have_sold(kind: str) -> None:
    game = world()
    truth = float(game.buys[np.arange(len(game.target)), game.target].mean())
    shown = [experiment(kind, seed) for seed in range(EXPERIMENTS)]
    for estimator in (off_policy.ips, off_policy.doubly_robust):
        found = [estimator(one) for one in shown]
        values = [one.value for one in found]
        assert 0.93 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.97
        assert abs(np.mean(values) - truth) < 4 * np.std(values) / math.sqrt(EXPERIMENTS)  # unbiased
