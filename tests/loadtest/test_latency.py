from __future__ import annotations

import math

import pytest

from loadtest.measurement.latency import Level, level_of, median, percentiles, ratio


def test_percentiles_are_in_the_order_of_the_arguments() -> None:
    assert percentiles(list(range(101)), 95, 50) == [95.0, 50.0]


def test_percentile_between_two_values_is_interpolated() -> None:
    assert percentiles([10.0, 20.0], 50) == [15.0]


def test_rate_is_the_number_of_answers_over_the_measured_time() -> None:
    level = level_of([1.0, 2.0, 3.0, 4.0, 5.0], seconds=2.0)
    assert (level.rps, level.p50_ms) == (2.5, 3.0)


def test_median_is_taken_for_each_number_on_its_own() -> None:
    levels = [Level(100, 1, 9, 20), Level(300, 3, 7, 30), Level(200, 2, 8, 10)]
    assert median(levels) == Level(200, 2, 8, 20)
    assert median([{"a": level} for level in levels]) == {"a": Level(200, 2, 8, 20)}


@pytest.mark.parametrize(("measured", "reference", "expected"), [(3.0, 2.0, 1.5), (1.0, 0.0, math.inf)])
def test_ratio_to_zero_is_infinite(measured: float, reference: float, expected: float) -> None:
    assert ratio(measured, reference) == expected
