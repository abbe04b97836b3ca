"""Off-policy estimates: the reward per decision of another policy, from logged decisions and their propensities.

The logging policy showed an offer with a known probability, the propensity p > 0. The target policy would have shown
one offer. w = 1/p if both offers are equal, else 0; r is the reward of the decision.

- IPS, inverse propensity scoring (Horvitz and Thompson, JASA 47, 1952): the mean of w r. It is unbiased.
- SNIPS, self-normalised (Swaminathan and Joachims, NIPS 2015): sum of w r / sum of w. It is consistent, has less
  variance if rewards are far from 0, and does not depend on their zero.
- DR, doubly robust (Dudik, Langford and Li, ICML 2011): the mean of q(target) + w (r - q(shown)), where q predicts the
  reward of an offer. With known propensities it is unbiased for any q; a good q makes it narrow.

The prediction q is a line through the score that the target policy itself computes (the expected revenue, if revenue is
the reward), plus a correction of each offer, shrunk to 0 if the offer was shown rarely. The score is all that is known
about the player and the offer together; the line calibrates it, because a score need not be a probability, and has the
slope 0 if the score says nothing. q is fitted without the players to whom it is applied (cross-fitting, Chernozhukov et
al., Econometrics Journal 21, 2018), so that its noise does not correlate with their rewards.

The intervals treat players as independent, not their decisions: the variance is that of the sums by player (Liang and
Zeger, Biometrika 73, 1986), with the t distribution. The effective sample size is (sum of w)^2 / sum of w^2 (Kish,
Survey Sampling, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL = 0.95
FOLDS = 5
PRIOR = 20.0  # decisions: the correction of an offer that was shown as often is halved
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Logged decisions, all columns [decisions].

    `player` numbers the players from 0. `shown` and `target` are the numbers of the offers that were shown and that the
    target policy would have shown. `shown_score` and `target_score` predict the reward of these offers, in any unit.
    """

    player: NDArray[np.int64]
    shown: NDArray[np.int64]
    target: NDArray[np.int64]
    propensity: Numbers
    reward: Numbers
    shown_score: Numbers
    target_score: Numbers

    @property
    def weights(self) -> Numbers:
        """1 / propensity where the target policy shows the same offer, else 0."""
        weights: Numbers = np.where(self.shown == self.target, 1 / self.propensity, 0.0)
        return weights


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward per decision with its interval; NaN if there is too little evidence."""

    value: float
    low: float
    high: float


def effective_size(weights: Numbers) -> float:
    """Returns the number of equally weighted decisions that are worth as much as the weighted ones."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def logged_mean(evidence: Evidence) -> Estimate:
    """Returns the reward per decision of the logging policy."""
    return _mean(evidence.reward, evidence.player)


def ips(evidence: Evidence) -> Estimate:
    """Returns the estimate by inverse propensity scoring."""
    return _mean(evidence.weights * evidence.reward, evidence.player)


def snips(evidence: Evidence) -> Estimate:
    """Returns the self-normalised estimate; NaN if no decision agrees."""
    return _ratio(evidence.weights * evidence.reward, evidence.weights, evidence.player)


def doubly_robust(evidence: Evidence) -> Estimate:
    """Returns the doubly robust estimate."""
    return _mean(_doubly_robust_terms(evidence), evidence.player)


def gain(evidence: Evidence) -> Estimate:
    """Returns the doubly robust estimate of the target policy less the logging policy, decision by decision."""
    return _mean(_doubly_robust_terms(evidence) - evidence.reward, evidence.player)


def _doubly_robust_terms(evidence: Evidence) -> Numbers:
    of_shown, of_target = _predictions(evidence)
    terms: Numbers = of_target + evidence.weights * (evidence.reward - of_shown)
    return terms


def _mean(terms: Numbers, player: NDArray[np.int64]) -> Estimate:
    return _ratio(terms, np.ones(len(terms)), player)


def _ratio(terms: Numbers, weights: Numbers, player: NDArray[np.int64]) -> Estimate:
    """Returns sum(terms) / sum(weights); linear in the sums by player, which are independent."""
    total = float(weights.sum())
    players = int(player.max()) + 1 if len(player) else 0
    if players < 2 or not total:
        return Estimate(math.nan, math.nan, math.nan)
    value = float(terms.sum()) / total
    residuals = np.bincount(player, terms - value * weights, players)
    deviation = math.sqrt(players / (players - 1) * float(residuals @ residuals)) / total
    margin = float(stdtrit(players - 1, (1 + LEVEL) / 2)) * deviation
    return Estimate(value, value - margin, value + margin)


def _predictions(evidence: Evidence) -> tuple[Numbers, Numbers]:
    """Returns the predicted rewards of the shown and of the target offers; each player by the other folds."""
    offers = int(max(evidence.shown.max(), evidence.target.max())) + 1
    fold = np.random.default_rng(0).integers(0, FOLDS, int(evidence.player.max()) + 1)[evidence.player]
    of_shown, of_target = np.empty(len(fold)), np.empty(len(fold))
    for number in range(FOLDS):
        held, others = fold == number, fold != number
        line = _fitted_line(evidence.shown_score[others], evidence.reward[others])
        residuals = evidence.reward[others] - line(evidence.shown_score[others])
        counts = np.bincount(evidence.shown[others], minlength=offers)
        corrections = np.bincount(evidence.shown[others], residuals, offers) / (counts + PRIOR)
        of_shown[held] = line(evidence.shown_score[held]) + corrections[evidence.shown[held]]
        of_target[held] = line(evidence.target_score[held]) + corrections[evidence.target[held]]
    return of_shown, of_target


def _fitted_line(scores: Numbers, rewards: Numbers) -> Callable[[Numbers], Numbers]:
    """Returns the line of least squares; the mean reward if all scores are equal. A score that is NaN is the mean."""
    if not len(rewards):
        return np.zeros_like
    known = np.isfinite(scores)
    mean = float(scores[known].mean()) if known.any() else 0.0
    offsets = np.where(known, scores - mean, 0.0)
    squares, level = float(offsets @ offsets), float(rewards.mean())
    slope = float(offsets @ rewards) / squares if squares else 0.0
    return lambda of: level + slope * np.where(np.isfinite(of), of - mean, 0.0)
