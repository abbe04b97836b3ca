from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mesh.decisions.report import intervals, ratios
from mesh.decisions.report.intervals import Interval
from mesh.decisions.report.ratios import Cells, Contrast, Ratio
from tests.decisions.report.experiments import Truth, experiment, without_strata

RUNS = 2000


def cells_of(*arms: np.ndarray) -> Cells:
    """One decision of each player; the arms have these values."""
    total = np.concatenate(arms).astype(float)
    arm = np.repeat(np.arange(len(arms)), [len(one) for one in arms])
    return Cells(np.arange(len(total)), arm, np.zeros_like(arm), np.ones(len(total)), total)


@pytest.mark.parametrize(
    ("bought", "players", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_of_a_share_is_the_published_one(bought: int, players: int, low: float, high: float) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3 (Wilson)."""
    ratio = ratios.ratio_of(cells_of(np.arange(players) < bought), 0)
    assert ratio is not None
    found = intervals.of_share(ratio)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_interval_of_a_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).exponential(size=40)
    ratio = ratios.ratio_of(cells_of(values), 0)
    assert ratio is not None
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert intervals.of_mean(ratio) == pytest.approx((values.mean(), expected.low, expected.high))


def test_interval_of_a_difference_is_that_of_welch() -> None:
    random = np.random.default_rng(2)
    one, other = random.exponential(size=30), random.exponential(2, size=50)
    found = ratios.contrast(cells_of(other, one), 1, 0)
    assert found is not None
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert intervals.of_difference(found) == pytest.approx((one.mean() - other.mean(), expected.low, expected.high))


def test_variance_of_a_ratio_is_that_of_the_delta_method() -> None:
    """Deng, Knoblich, Lu 2018, equation 3: of the sums Y and N of each player."""
    cells = without_strata(experiment(np.random.default_rng(3), Truth(players=300, looks=3))[0])
    ratio = ratios.ratio_of(cells, 1)
    assert ratio is not None
    chosen = cells.where(cells.arm == 1)
    n, y = (np.bincount(chosen.player, column) for column in (chosen.decisions, chosen.total))
    y, n = y[n > 0], n[n > 0]
    covariance = np.cov(y, n)
    value = y.mean() / n.mean()
    spread = covariance[0, 0] - 2 * value * covariance[0, 1] + value**2 * covariance[1, 1]
    assert ratio.value == pytest.approx(value)
    assert ratio.variance == pytest.approx(spread / n.mean() ** 2 / len(n))


def test_always_valid_interval_is_the_published_one() -> None:
    """Waudby-Smith et al. 2021, theorem 2.2, with n = 400 values of sigma 2 and rho 0.3, in their own form."""
    n, sigma, rho, alpha = 400.0, 2.0, 0.3, 0.05
    inner = 2 * (n * rho**2 + 1) / (n**2 * rho**2) * math.log(math.sqrt(n * rho**2 + 1) / alpha)
    found = Contrast(Ratio(1.0, sigma**2 / n / 2, 200, n), Ratio(0.4, sigma**2 / n / 2, 200, n), 0.0)
    interval = intervals.always_valid(found, mixture=sigma**2 * rho**2)
    assert interval == pytest.approx((0.6, 0.6 - sigma * math.sqrt(inner), 0.6 + sigma * math.sqrt(inner)))


def test_always_valid_interval_is_tightest_at_the_planned_look() -> None:
    def relative(looks: float, planned: float) -> float:
        first = Contrast(Ratio(0, 0.5, 100, 100), Ratio(0, 0.5, 100, 100), 0.0)
        now = Contrast(Ratio(0, 0.5 / looks, 100, 100), Ratio(0, 0.5 / looks, 100, 100), 0.0)
        mixture = intervals.mixture_variance(first) * intervals.PLAN_LOOKS / planned
        return intervals.always_valid(now, mixture).high

    planned = [relative(20, mixture) for mixture in (5, 10, 15, 20, 25, 40, 80)]
    assert planned.index(min(planned)) == 3


def test_lift_is_unknown_without_conversions() -> None:
    none = Contrast(Ratio(0.1, 1e-4, 50, 100), Ratio(0.0, 0.0, 50, 100), 0.0)
    assert intervals.of_lift(none) is None
    assert intervals.always_valid(Contrast(none.baseline, none.baseline, 0.0), 0.0) == Interval(0, -math.inf, math.inf)


@pytest.fixture(scope="module")
def coverage() -> dict[str, float]:
    """The part of many experiments whose interval contains the truth, by the kind of the interval."""
    truth = Truth(conversions=(0.06, 0.08), players=1000, per_look=5.0)
    value = truth.mean_value()
    true = {
        "share": 0.08,
        "revenue": 0.08 * value,
        "difference of shares": 0.02,
        "difference of revenue": 0.02 * value,
        "lift": 100 / 3,
        "lift of revenue": 100 / 3,
    }
    random = np.random.default_rng(20261128)
    hits = dict.fromkeys(true, 0)
    for _ in range(RUNS):
        cells, revenue = experiment(random, truth)
        money = cells._replace(total=revenue)
        of_share, of_money = ratios.ratio_of(cells, 1), ratios.ratio_of(money, 1)
        shares, values = ratios.contrast(cells, 1, 0), ratios.contrast(money, 1, 0)
        assert of_share is not None
        assert of_money is not None
        assert shares is not None
        assert values is not None
        found = {
            "share": intervals.of_share(of_share),
            "revenue": intervals.of_mean(of_money),
            "difference of shares": intervals.of_difference(shares),
            "difference of revenue": intervals.of_difference(values),
            "lift": intervals.of_lift(shares),
            "lift of revenue": intervals.of_lift(values),
        }
        for name, interval in found.items():
            assert interval is not None
            hits[name] += interval.low <= true[name] <= interval.high
    return {name: count / RUNS for name, count in hits.items()}


@pytest.mark.parametrize(
    "kind", ["share", "revenue", "difference of shares", "difference of revenue", "lift", "lift of revenue"]
)
def test_fixed_interval_contains_the_truth_in_95_of_100_experiments(coverage: dict[str, float], kind: str) -> None:
    assert 0.93 <= coverage[kind] <= 0.97, coverage


def test_intervals_that_ignore_the_players_are_too_narrow() -> None:
    """The simulation is hard enough: intervals of independent decisions miss the truth more often."""
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(500):
        cells, _ = experiment(random, Truth(players=300, per_look=30.0))
        chosen = cells.where(cells.arm == 1)
        share, number = chosen.total.sum() / chosen.decisions.sum(), chosen.decisions.sum()
        hits += abs(share - 0.06) <= 1.96 * math.sqrt(share * (1 - share) / number)
    assert hits / 500 < 0.8


def paths(truth: Truth, runs: int, seed: int) -> tuple[float, float]:
    """The part of experiments of which some look has an interval without the true difference: fixed, always-valid."""
    random = np.random.default_rng(seed)
    missed = [0, 0]
    true = truth.conversions[1] - truth.conversions[0]
    for _ in range(runs):
        cells, _ = experiment(random, truth)
        whole = without_strata(cells)
        mixture, out = 0.0, [False, False]
        for look in range(truth.looks):
            found = ratios.contrast(whole.where(cells.stratum <= look), 1, 0)
            assert found is not None
            mixture = mixture or intervals.mixture_variance(found)
            for at, one in enumerate((intervals.of_difference(found), intervals.always_valid(found, mixture))):
                out[at] |= not one.low <= true <= one.high
        missed[0] += out[0]
        missed[1] += out[1]
    return missed[0] / runs, missed[1] / runs


def test_always_valid_intervals_keep_their_error_over_50_looks() -> None:
    fixed, always_valid = paths(Truth(conversions=(0.06, 0.07), players=300, looks=50, per_look=1.0), 400, 5)
    assert fixed > 0.15  # the reason why daily looks need another interval
    assert always_valid <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


def test_strata_remove_the_effect_of_changing_shares() -> None:
    """A good day with few players of the new arm, and a bad day with many, make the new arm look worse."""
    random = np.random.default_rng(6)
    day = np.repeat([0, 1], 4000)
    arm = (random.random(8000) < np.where(day == 0, 0.1, 0.6)).astype(np.int64)
    total = (random.random(8000) < np.where(day == 0, 0.4, 0.2)).astype(float)
    cells = Cells(np.arange(8000), arm, day, np.ones(8000), total)
    pooled, by_day = ratios.contrast(without_strata(cells), 1, 0), ratios.contrast(cells, 1, 0)
    assert pooled is not None
    assert by_day is not None
    assert intervals.of_difference(pooled).high < 0
    found = intervals.of_difference(by_day)
    assert found.low < 0 < found.high


def test_players_who_change_the_arm_are_one_cluster() -> None:
    """A player with the same result in both arms says nothing about the difference."""
    values = np.random.default_rng(7).random(50)
    player = np.tile(np.arange(50), 2)
    cells = Cells(player, np.repeat([0, 1], 50), np.zeros(100, np.int64), np.ones(100), np.tile(values, 2))
    found = ratios.contrast(cells, 1, 0)
    assert found is not None
    assert found.variance == pytest.approx(0, abs=1e-12)


def test_arms_that_cannot_be_compared_have_no_difference() -> None:
    one = Cells(*(np.array([0, 1]),) * 2, np.zeros(2, np.int64), np.ones(2), np.ones(2))
    assert ratios.ratio_of(one, 0) is None
    assert ratios.contrast(one, 1, 0) is None
    apart = Cells(np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.ones(4), np.ones(4))
    assert ratios.contrast(apart, 1, 0) is None
