import math

import pytest

from mesh.cli.status.quantiles import quantile

BUCKETS = [(1.0, 50.0), (2.0, 90.0), (4.0, 100.0), (math.inf, 100.0)]


def test_quantile_is_linear_within_its_bucket() -> None:
    assert quantile(BUCKETS, 0.7) == pytest.approx(1.5)


def test_quantile_at_the_end_of_a_bucket_is_its_bound() -> None:
    assert quantile(BUCKETS, 0.5) == pytest.approx(1.0)


def test_quantile_above_all_finite_bounds_is_the_last_finite_bound() -> None:
    assert quantile([(1.0, 0.0), (2.0, 10.0), (math.inf, 100.0)], 0.99) == 2.0


def test_empty_buckets_are_skipped() -> None:
    assert quantile([(1.0, 0.0), (2.0, 0.0), (3.0, 10.0), (math.inf, 10.0)], 0.5) == pytest.approx(2.5)


@pytest.mark.parametrize("buckets", [[], [(1.0, 0.0), (math.inf, 0.0)]])
def test_without_observations_there_is_no_quantile(buckets: list[tuple[float, float]]) -> None:
    assert quantile(buckets, 0.5) is None
