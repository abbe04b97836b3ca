import math

import pytest

from mesh.cli.status.quantiles import quantile

BUCKETS = [(1.0, 50.0), (2.0, 90.0), (4.0, 100.0), (math.inf, 100.0)]


def test_a_quantile_is_linear_within_its_bucket() -> None:
    assert quantile(BUCKETS, 0.7) == pytest.approx(1.5)


def test_a_quantile_at_a_bucket_s_end_is_its_bound() -> None:
    assert quantile(BUCKETS, 0.5) == pytest.approx(1.0)


def test_what_is_above_all_bounds_counts_as_the_last_bound() -> None:
    assert quantile([(1.0, 0.0), (2.0, 10.0), (math.inf, 100.0)], 0.99) == 2.0


def test_empty_buckets_are_passed_over() -> None:
    assert quantile([(1.0, 0.0), (2.0, 0.0), (3.0, 10.0), (math.inf, 10.0)], 0.5) == pytest.approx(2.5)


@pytest.mark.parametrize("buckets", [[], [(1.0, 0.0), (math.inf, 0.0)]])
def test_without_observations_there_is_no_quantile(buckets: list[tuple[float, float]]) -> None:
    assert quantile(buckets, 0.5) is None
