from __future__ import annotations

import pytest

from mesh import plot_figures


@pytest.mark.parametrize(
    ("value", "text"), [(0.0001, "0.0001"), (100.0, "100"), (2.5, "2.5"), (20_000.0, "20,000"), (0.0, "0")]
)
def test_tick_has_no_exponent_and_no_si_prefix(value: float, text: str) -> None:
    assert plot_figures.plain(value) == text


def test_logarithmic_axis_has_round_ticks_around_its_values() -> None:
    assert plot_figures.log_axis([12.0, 90.0])["ticktext"] == ["10", "20", "50", "100"]
    assert plot_figures.log_axis([0.0, 0.0001, 57.0])["ticktext"] == [
        "0.0001",
        "0.001",
        "0.01",
        "0.1",
        "1",
        "10",
        "100",
    ]


@pytest.mark.parametrize("values", [[], [0.0], [7.0], [float("inf"), 3.0]])
def test_logarithmic_axis_of_few_values_still_has_a_range(values: list[float]) -> None:
    low, high = plot_figures.log_axis(values)["range"]
    assert low < high


@pytest.mark.parametrize("highest", [0.0, 1.0, 3.0, 35.0, 500.0])
def test_axis_of_replicas_has_whole_numbers(highest: float) -> None:
    axis = plot_figures.count_axis(highest)
    assert axis["dtick"] == int(axis["dtick"]) >= 1
    assert axis["range"][1] >= highest


def test_round_up_returns_one_two_or_five() -> None:
    assert [plot_figures.round_up(value) for value in (0.0, 1.0, 1.1, 3.0, 7.0, 20.0, 0.3)] == [1, 1, 2, 5, 10, 20, 0.5]
