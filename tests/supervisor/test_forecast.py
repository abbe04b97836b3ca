"""Forecasts of journey times from the journeys before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.forecast import REACH, Forecast

ROWS = st.integers(1, 5000)
JOURNEYS = st.lists(st.tuples(ROWS, st.floats(0.0, 60.0)), min_size=1, max_size=50)


def learnt(*journeys: tuple[int, float]) -> Forecast:
    forecast = Forecast()
    for rows, journey_s in journeys:
        forecast.learn(rows, journey_s)
    return forecast


def test_forecast_is_zero_before_the_first_journey() -> None:
    assert (Forecast().journey_s(100), Forecast().at_most_s(100)) == (0.0, 0.0)


def test_forecast_follows_a_line() -> None:
    forecast = learnt(*((rows, 0.010 + 0.001 * rows) for rows in (20, 60, 30, 50, 40)))
    assert forecast.journey_s(70) == pytest.approx(0.080)
    assert forecast.journey_s(10) == pytest.approx(0.020)


def test_recent_journeys_count_most() -> None:
    forecast = learnt(*[(50, 0.5)] * 20, *[(50, 0.1)] * 20)
    assert forecast.journey_s(50) == pytest.approx(0.1, abs=0.01)


def test_forecast_is_flat_far_beyond_the_usual_rows() -> None:
    forecast = learnt((1, 0.010), (2, 0.015), (1, 0.010), (2, 0.015))
    assert forecast.journey_s(1000) < 0.010 + 0.005 * 2 * REACH


def test_upper_bound_grows_with_the_error() -> None:
    steady, varying = learnt(*[(50, 0.1)] * 9), learnt(*[(50, 0.05), (50, 0.15)] * 5)
    assert steady.at_most_s(50) == pytest.approx(steady.journey_s(50))
    assert varying.at_most_s(50) > varying.journey_s(50) + 0.05


@given(journeys=JOURNEYS, rows=ROWS, more=ROWS)
def test_forecast_is_never_negative_and_never_falls_with_more_rows(
    journeys: list[tuple[int, float]], rows: int, more: int
) -> None:
    forecast = learnt(*journeys)
    assert -1e-9 <= forecast.journey_s(rows) <= forecast.journey_s(rows + more) + 1e-9
    assert forecast.journey_s(rows) <= forecast.at_most_s(rows)
