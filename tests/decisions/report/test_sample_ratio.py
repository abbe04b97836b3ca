from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mesh.decisions.report import sample_ratio

PLAN = np.array([[45.0, 45.0, 10.0]])


def draws(seed: int, shares: np.ndarray, players: int, runs: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(players, shares / shares.sum(), runs).astype(float)


def test_p_value_is_that_of_scipy() -> None:
    observed = np.array([[821.0, 1000.0, 190.0]])
    expected = PLAN[0] / 100 * observed.sum()
    assert sample_ratio.against_plan(observed, PLAN).p == pytest.approx(stats.chisquare(observed[0], expected).pvalue)


def test_p_value_over_time_is_that_of_scipy() -> None:
    observed = np.array([[50.0, 70.0], [60.0, 55.0], [80.0, 81.0]])
    expected = stats.chi2_contingency(observed, correction=False).pvalue
    assert sample_ratio.over_time(observed).p == pytest.approx(expected)


def test_planted_mismatch_is_found() -> None:
    """Records of one arm in twenty are lost."""
    lossy = PLAN[0] * [1.0, 0.95, 1.0]
    found = [sample_ratio.against_plan(row[None], PLAN).is_mismatch for row in draws(1, lossy, 100_000, 50)]
    assert all(found)


@pytest.mark.parametrize("limit", [0.05, 0.001])
def test_division_as_planned_raises_alarms_at_the_nominal_rate(limit: float) -> None:
    rows = draws(2, PLAN[0], 2000, 10_000)
    rate = np.mean([(sample_ratio.against_plan(row[None], PLAN).p or 0) < limit for row in rows])
    assert abs(rate - limit) <= 3 * np.sqrt(limit * (1 - limit) / len(rows))


def test_rollout_as_planned_raises_alarms_at_the_nominal_rate() -> None:
    """Each player counts in the period of the first decision, with the shares of that period."""
    steps = np.array([[90.0, 0.0, 10.0], [81.0, 9.0, 10.0], [45.0, 45.0, 10.0]])
    runs = [draws(seed, step, 1500, 2000) for seed, step in enumerate(steps)]
    p = [sample_ratio.against_plan(np.array(rows), steps).p or 0 for rows in zip(*runs, strict=True)]
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / 2000)
    pooled = np.array(runs).sum(axis=0)[0]
    assert sample_ratio.against_plan(pooled[None], PLAN).is_mismatch


def test_constant_shares_raise_alarms_at_the_nominal_rate() -> None:
    runs = draws(3, PLAN[0], 400, 14 * 1000).reshape(1000, 14, 3)
    p = np.array([sample_ratio.over_time(run).p or 0 for run in runs])
    assert abs(np.mean(p < 0.05) - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_changed_shares_are_found() -> None:
    observed = np.concatenate([draws(4, PLAN[0], 1000, 3), draws(5, np.array([60.0, 30.0, 10.0]), 1000, 3)])
    assert sample_ratio.over_time(observed).is_mismatch


def test_players_in_an_arm_without_a_share_are_a_mismatch() -> None:
    shares = np.array([[50.0, 50.0, 0.0]])
    assert sample_ratio.against_plan(np.array([[500.0, 490.0, 10.0]]), shares).p == 0
    assert sample_ratio.against_plan(np.array([[5000.0, 5010.0, 1.0]]), shares).p == pytest.approx(0.92, abs=0.01)


def test_few_players_are_not_tested() -> None:
    assert sample_ratio.against_plan(np.array([[4.0, 5.0, 0.0]]), PLAN).p is None
    assert sample_ratio.over_time(np.array([[1.0, 2.0], [2.0, 1.0]])).p is None
