"""The offers that a logged version could have shown first, and their probabilities, by its `explore` block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesh import exploration
from mesh.exploration import Explore
from mesh.reference.logged.requests import LoggedDecisions
from mesh.reference.ranking import ranked, ranking_keys


class LoggedPolicy:
    """The policy of `decisions`, by `scores` [candidates] and `votes` [candidates, models]; None: those of the log."""

    def __init__(
        self,
        decisions: LoggedDecisions,
        scores: NDArray[np.float64] | None = None,
        votes: NDArray[np.float64] | None = None,
    ) -> None:
        block = decisions.ensemble.explore
        self._decisions = decisions
        self._explore = None if block is None else Explore.model_validate(block)
        self._scores = decisions.scores if scores is None else scores
        self._votes = decisions.votes if votes is None else votes
        self._prices = decisions.requests.prices
        self._bounds = decisions.requests.bounds.tolist()
        self._pinned = decisions.table["pinned"].to_pylist()
        self._ids = decisions.table["decision_id"].to_pylist()

    def order(self, at: int) -> list[int]:
        """Returns the candidates of decision `at`, the best first."""
        return ranked(self._keys(at, self._scores[self._span(at)].tolist()))

    def best(self, at: int) -> int:
        """Returns the best candidate of decision `at`."""
        return self.order(at)[0]

    def propensities(self, at: int) -> dict[int, float]:
        """Returns the probability with which each candidate of decision `at` comes first; others have none."""
        order, chances = self._top(at)
        if self._explore is None or chances is None:
            return {order[0]: 1.0}
        return {
            candidate: exploration.propensity(self._explore, chances, place)
            for place, candidate in enumerate(order[: len(chances)])
        }

    def drawn(self, at: int) -> int:
        """Returns the candidate that decision `at` draws if its player belongs to the share that explores."""
        order, chances = self._top(at)
        return order[0 if chances is None else exploration.drawn(chances, self._ids[at])]

    def _top(self, at: int) -> tuple[list[int], list[float] | None]:
        """Returns the order of the candidates and the chances of the first ones; None: the first always comes first."""
        keys = self._keys(at, self._scores[self._span(at)].tolist())
        order = ranked(keys)
        if self._explore is None or self._pinned[at] or len(order) < 2:
            return order, None
        top = order[: self._explore.top]
        of_top = [keys[place] for place in top]
        if self._explore.kind != "thompson_votes":
            return order, exploration.chances(self._explore, of_top)
        by_vote, weights = self._by_vote(at, top)
        return order, exploration.chances(self._explore, of_top, by_vote, weights)

    def _by_vote(self, at: int, top: list[int]) -> tuple[NDArray[np.float64], list[float]]:
        """Returns what ranks the `top` candidates by each vote alone [voters, top], and the weights of the voters."""
        ensemble, missing = self._decisions.ensemble, self._decisions.missing[at]
        voters = [place for place, model in enumerate(ensemble.models) if model.name not in missing]
        is_weighted = ensemble.combine.kind == "weighted_mean"
        weights = [ensemble.models[voter].weight if is_weighted else 1.0 for voter in voters]
        votes = self._votes[self._span(at)]
        keys = [self._keys(at, votes[:, voter].tolist()) for voter in voters]
        return np.array([[of[place] for place in top] for of in keys], np.float64), weights

    def _keys(self, at: int, scores: list[float]) -> list[float]:
        prices = None if self._prices is None else self._prices[self._span(at)].tolist()
        return ranking_keys(scores, prices, self._decisions.ensemble.rank_by)

    def _span(self, at: int) -> slice:
        return slice(self._bounds[at], self._bounds[at + 1])
