from __future__ import annotations

import numpy as np
import pytest

from loadtest.generators.arrivals import poisson


def test_schedule_depends_only_on_the_seed() -> None:
    assert poisson(50.0, 10.0, seed=4).tolist() == poisson(50.0, 10.0, seed=4).tolist()
    assert poisson(50.0, 10.0, seed=4).tolist() != poisson(50.0, 10.0, seed=5).tolist()


def test_gaps_between_arrivals_are_exponential() -> None:
    gaps_s = np.diff(poisson(80.0, 1000.0, seed=6))
    assert gaps_s.min() >= 0.0
    assert gaps_s.mean() == pytest.approx(1 / 80, rel=0.02)
    assert gaps_s.std() == pytest.approx(1 / 80, rel=0.03)
    assert np.median(gaps_s) == pytest.approx(np.log(2) / 80, rel=0.03)


def test_number_of_arrivals_has_the_variance_of_a_poisson_process() -> None:
    counts = np.array([len(poisson(100.0, 1.0, seed)) for seed in range(2000)])
    assert counts.mean() == pytest.approx(100.0, rel=0.01)
    assert counts.var() == pytest.approx(100.0, rel=0.1)
