"""Off-policy estimates on simulated experiments whose truth is known: the intervals cover it as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mesh.reference import off_policy
from mesh.reference.off_policy import Estimate, Evidence

EXPERIMENTS = 1000
# The probability of a purchase by kind of player and offer, the shares of the kinds, and the best offer of each kind.
CHANCES = np.array([[0.20, 0.05, 0.10, 0.15], [0.05, 0.25, 0.10, 0.10], [0.10, 0.10, 0.30, 0.05]])
KINDS = np.array([0.5, 0.3, 0.2])
LOGGED, TARGET = np.array([0, 0, 1]), np.array([0, 1, 2])
PRICES = np.array([1.0, 5.0, 10.0, 2.0])
EXPLORED = 0.4
VALUE = float(KINDS @ CHANCES[np.arange(3), TARGET])
LOGGED_VALUE = float(KINDS @ ((1 - EXPLORED) * CHANCES[np.arange(3), LOGGED] + EXPLORED * CHANCES.mean(axis=1)))
REVENUE = float(KINDS @ (CHANCES[np.arange(3), TARGET] * PRICES[TARGET]))
Estimator = Callable[[Evidence], Estimate]


def experiment(seed: int, players: int = 400, *, is_informed: bool = True, prices: bool = False) -> Evidence:
    """Draws players with one to nine decisions each, who buy more or less often than others of their kind."""
    random = np.random.default_rng(seed)
    player = np.repeat(np.arange(players), random.integers(1, 10, players))
    factor = random.choice([0.4, 1.6], players)[player]
    kind = random.choice(3, len(player), p=KINDS)
    best = LOGGED[kind]
    shown = np.where(random.random(len(player)) < EXPLORED, random.integers(0, 4, len(player)), best)
    propensity = np.where(shown == best, 1 - EXPLORED + EXPLORED / 4, EXPLORED / 4)
    bought = random.random(len(player)) < CHANCES[kind, shown] * factor
    value: NDArray[np.float64] = PRICES if prices else np.ones(4)
    scores = CHANCES * value if is_informed else random.random(CHANCES.shape)
    target = TARGET[kind]
    return Evidence(player, shown, target, propensity, bought * value[shown], scores[kind, shown], scores[kind, target])


def coverage(estimator: Estimator, truth: float, **options: bool) -> tuple[float, float, float]:
    """The share of the intervals that cover the truth, the mean of the estimates, and the mean width."""
    found = [estimator(experiment(seed, **options)) for seed in range(EXPERIMENTS)]
    covers = [one.low <= truth <= one.high for one in found]
    return (
        float(np.mean(covers)),
        float(np.mean([one.value for one in found])),
        float(np.mean([one.high - one.low for one in found])),
    )


@pytest.mark.parametrize("estimator", [off_policy.ips, off_policy.snips, off_policy.doubly_robust])
@pytest.mark.parametrize("prices", [False, True])
@pytest.mark.parametrize("is_informed", [False, True])
def test_intervals_cover_the_true_value(estimator: Estimator, prices: bool, is_informed: bool) -> None:
    truth = REVENUE if prices else VALUE
    covered, mean, width = coverage(estimator, truth, prices=prices, is_informed=is_informed)
    assert 0.93 <= covered <= 0.97
    assert abs(mean - truth) < 4 * width / (2 * 1.96) / math.sqrt(EXPERIMENTS)  # unbiased


def test_intervals_of_the_gain_and_of_the_logged_policy_cover_the_truth() -> None:
    assert 0.93 <= coverage(off_policy.gain, VALUE - LOGGED_VALUE)[0] <= 0.97
    assert 0.93 <= coverage(off_policy.logged_mean, LOGGED_VALUE)[0] <= 0.97


def test_good_prediction_makes_the_doubly_robust_interval_narrower() -> None:
    *_, inverse = coverage(off_policy.ips, VALUE)
    *_, informed = coverage(off_policy.doubly_robust, VALUE)
    *_, uninformed = coverage(off_policy.doubly_robust, VALUE, is_informed=False)
    assert informed < 0.9 * inverse
    assert informed < uninformed


def test_decisions_as_if_of_different_players_make_the_interval_too_narrow() -> None:
    evidence = experiment(1, 3000)
    alone = replace(evidence, player=np.arange(len(evidence.player)))
    together, apart = off_policy.logged_mean(evidence), off_policy.logged_mean(alone)
    assert together.value == apart.value
    assert together.high - together.low > 1.02 * (apart.high - apart.low)


def test_estimates_by_hand() -> None:
    columns = {name: np.zeros(3) for name in ("shown_score", "target_score")}
    evidence = Evidence(
        player=np.array([0, 1, 2]), shown=np.array([0, 1, 1]), target=np.array([0, 1, 0]),
        propensity=np.array([0.5, 0.25, 0.75]), reward=np.array([1.0, 2.0, 5.0]), **columns,
    )  # fmt: skip
    assert evidence.weights.tolist() == [2.0, 4.0, 0.0]
    assert off_policy.ips(evidence).value == pytest.approx((2 * 1 + 4 * 2) / 3)
    assert off_policy.snips(evidence).value == pytest.approx((2 * 1 + 4 * 2) / 6)
    assert off_policy.effective_size(evidence.weights) == pytest.approx(36 / 20)
    deviation = np.std([2, 8, 0], ddof=1) / math.sqrt(3)
    found = off_policy.ips(evidence)
    assert found.high - found.value == pytest.approx(4.302652729911275 * deviation)  # t with 2 degrees of freedom


def test_target_equal_to_the_log_without_exploration_has_the_mean_of_the_log() -> None:
    evidence = experiment(3)
    same = replace(evidence, target=evidence.shown, propensity=np.ones(len(evidence.player)))
    expected = off_policy.logged_mean(same)
    assert off_policy.ips(same) == off_policy.snips(same) == expected
    assert off_policy.effective_size(same.weights) == len(same.player)


def test_no_agreement_gives_no_number() -> None:
    evidence = experiment(3)
    apart = replace(evidence, target=(evidence.shown + 1) % 4)
    assert math.isnan(off_policy.snips(apart).value)
    assert off_policy.effective_size(apart.weights) == 0.0
