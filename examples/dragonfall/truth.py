"""The true probability that a player buys an offer; the models never see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from examples.dragonfall.offers import Column, Offers
from examples.dragonfall.simulation import Encounters, Players

BASE_LOGIT = -2.4
# Preference for each kind of offer by trait: rivalry, fellowship, collecting, eagerness.
TASTES = {
    "starter": (0.0, 0.0, 0.1, 0.4),
    "gems": (0.2, 0.0, 0.2, 0.3),
    "energy": (0.2, -0.2, 0.0, 1.0),
    "cards": (0.0, -0.1, 1.3, 0.1),
    "pvp": (1.4, 0.0, 0.0, 0.1),
    "guild": (0.1, 1.4, 0.0, 0.1),
    "cosmetic": (-0.1, 0.5, 0.8, -0.2),
    "pass": (0.2, 0.2, 0.3, 0.8),
}


def chance(players: Players, offers: Offers, encounters: Encounters) -> Column:
    """Returns the true probability of a purchase for each encounter."""
    logit = (
        BASE_LOGIT
        + _taste(players, offers, encounters)
        + _thrift(players, offers, encounters)
        + _moment(players, offers, encounters)
    )
    return 1 / (1 + np.exp(-logit))


def true_revenue(players: Players, offers: Offers, encounters: Encounters) -> Column:
    """Returns the expected revenue of each encounter, in dollars."""
    return chance(players, offers, encounters) * offers.prices[encounters.offer]


def revenue_of_every_offer(players: Players, offers: Offers, encounters: Encounters) -> Column:
    """Returns the true revenue [encounters, offers] of each offer at each of `encounters`."""
    shown = [replace(encounters, offer=np.full_like(encounters.player, row)) for row in range(len(offers.ids))]
    return np.stack([true_revenue(players, offers, each) for each in shown], axis=1)


def _taste(players: Players, offers: Offers, encounters: Encounters) -> Column:
    traits = players.traits
    wants = np.stack([traits.rivalry, traits.fellowship, traits.collecting, traits.eagerness], axis=1)
    tastes = np.array([TASTES[kind] for kind in offers.columns["kind"].tolist()])
    taste: Column = np.einsum("ij,ij->i", wants[encounters.player], tastes[encounters.offer])
    return taste


def _thrift(players: Players, offers: Offers, encounters: Encounters) -> Column:
    """The effect of the price: a high price deters players with little money, and a discount attracts them."""
    wealth = players.traits.wealth[encounters.player]
    budget_usd = np.exp(1.7 + 0.9 * wealth)
    strain = np.log1p(offers.prices[encounters.offer] / budget_usd)
    discount = offers.columns["discount"][encounters.offer]
    return 0.5 * wealth - 2.1 * strain + discount * (1.2 - 0.6 * wealth)


def _moment(players: Players, offers: Offers, encounters: Encounters) -> Column:
    """The effect of the moment: new players buy starters, long sessions need energy, weekends favour guilds and PvP."""
    kind = offers.columns["kind"][encounters.offer]
    age_days = players.columns["days_since_install"][encounters.player]
    long = np.log1p(encounters.session_minutes) - 2.7
    together = np.isin(kind, ["pvp", "guild"])
    moment: Column = (
        0.25 * long
        + np.where(kind == "starter", 1.6 - 0.4 * np.log1p(age_days / 10), 0.0)
        + np.where(kind == "energy", 0.6 * long, 0.0)
        + np.where(together, 0.8 * encounters.is_weekend - 0.2, 0.0)
        + np.select([encounters.platform == "ios", encounters.platform == "web"], [0.3, -0.3], 0.0)
    )
    return moment
