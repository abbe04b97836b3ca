"""Exploration of one version: ranks the offers of a request, and draws the first one for a share of the players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mesh import exploration, player_position
from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Version
from mesh.exploration import Explore
from supervisor.combine import Scores, Votes
from supervisor.ranking import RankedOffer, Ranking, highest
from supervisor.ticket import Ticket


class DrawnOffers(NamedTuple):
    """The offers of an answer. `is_drawn`: the first was drawn, maybe the best; `propensity` is its probability."""

    offers: tuple[RankedOffer, ...]
    is_drawn: bool
    propensity: float


@dataclass(frozen=True, slots=True)
class Exploration:
    """The `explore` of a version. `prefix` precedes player ids in hashes; `weights` [models] are those of the votes."""

    explore: Explore
    ranking: Ranking
    prefix: str
    weights: tuple[float, ...]

    def applies_to(self, ticket: Ticket) -> bool:
        """Returns whether the first offer of `ticket` may be drawn, for a player of the share."""
        return ticket.scored_row is None and not ticket.is_pinned and ticket.passenger.rows > 1

    def rank(self, ticket: Ticket, scores: Scores, votes: Votes) -> DrawnOffers:
        """Returns the offers of `ticket`: the drawn one, if any, then the others in the order of the ranking.

        `scores` [candidates]; `votes` [models, candidates] has NaN for a missing vote.
        """
        candidates, explore = ticket.passenger.offers, self.explore
        keys = self.ranking.keys(candidates, scores)
        order = highest(keys, max(ticket.limit, min(explore.top, len(keys))))
        chances = self._chances(ticket, keys[order[: explore.top]].tolist(), order[: explore.top], votes)
        is_drawn = exploration.is_explorer(explore, self.prefix, ticket.player_id, ticket.decision_id)
        place = exploration.drawn(chances, ticket.decision_id) if is_drawn else 0
        order.insert(0, order.pop(place))
        offers = self.ranking.offers(candidates, scores, order[: ticket.limit])
        return DrawnOffers(offers, is_drawn, exploration.propensity(explore, chances, place))

    def _chances(self, ticket: Ticket, keys: list[float], top: list[int], votes: Votes) -> list[float]:
        if self.explore.kind != "thompson_votes":
            return exploration.chances(self.explore, keys)
        voters = np.flatnonzero(~np.isnan(votes).any(axis=1))  # as `count_votes` counts them
        candidates = [ticket.passenger.offers[place] for place in top]
        by_vote = self.ranking.keys(candidates, votes[voters][:, top])
        return exploration.chances(self.explore, keys, by_vote, [self.weights[voter] for voter in voters])


def exploration_of(catalog: Catalog, version: Version, ranking: Ranking | None) -> Exploration | None:
    """Returns the exploration of `version`; None if it does not explore. Only weighted_mean weighs the models."""
    if version.explore is None or ranking is None:
        return None
    is_weighted = version.combine.kind == "weighted_mean"
    weights = tuple(model.weight if is_weighted else 1.0 for model in version.voters)
    prefix = player_position.prefix(catalog.game, catalog.assignment.salt)
    return Exploration(version.explore, ranking, prefix, weights)
