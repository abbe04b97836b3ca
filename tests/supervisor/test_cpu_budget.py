"""The CPU budget for cohorts that depart while another one is under way."""

from __future__ import annotations

import pytest

from supervisor.cpu_budget import CpuBudget


def test_budget_fills_by_half_of_the_elapsed_time() -> None:
    assert CpuBudget(0.0).wait_s(0.003, 0.0) == pytest.approx(0.006)
    assert CpuBudget(0.0).wait_s(0.003, 0.002) == pytest.approx(0.004)


def test_budget_holds_the_cost_of_two_journeys() -> None:
    budget = CpuBudget(0.0)
    budget.spend(0.003, 100.0)
    budget.spend(0.003, 100.0)
    assert budget.wait_s(0.003, 100.0) == pytest.approx(0.006)


def test_journey_that_the_budget_covers_does_not_wait() -> None:
    assert CpuBudget(0.0).wait_s(0.003, 1.0) == 0.0


def test_budget_is_never_negative() -> None:
    budget = CpuBudget(0.0)
    for _ in range(10):
        budget.spend(0.003, 0.0)
    assert budget.wait_s(0.003, 0.0) == pytest.approx(0.006)
