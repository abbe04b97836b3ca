"""The budget of second tries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.second_tries import BURST_S, FLOOR_S, MIN_BURST_ROWS, SHARE, SecondTryBudget

ROW_S = 0.01


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def empty(clock: Clock) -> SecondTryBudget:
    """A budget whose tokens and floor are used up."""
    budget = SecondTryBudget(clock)
    assert budget.spend(int(MIN_BURST_ROWS))
    assert budget.spend(1)
    return budget


def test_first_tries_earn_their_share() -> None:
    clock = Clock()
    budget = empty(clock)
    assert not budget.spend(1)
    budget.earn(39, ROW_S)
    assert not budget.spend(1)
    budget.earn(1, ROW_S)
    assert budget.spend(1)
    assert not budget.spend(1)


def test_one_shipment_of_any_size_may_always_be_sent_again_and_leaves_a_debt() -> None:
    clock = Clock()
    budget = empty(clock)
    clock.now_s += FLOOR_S
    assert budget.spend(30)
    budget.earn(round(20 / SHARE), ROW_S)
    assert not budget.spend(1)
    clock.now_s += FLOOR_S / 2
    assert not budget.spend(1)
    clock.now_s += FLOOR_S / 2
    assert budget.spend(1)


def test_unused_budget_is_bounded_by_time_of_work() -> None:
    budget = SecondTryBudget(Clock())
    row_s = BURST_S / 1000
    budget.earn(10**9, row_s)
    assert budget.spend(1000)
    assert budget.spend(1)  # the floor
    assert not budget.spend(1)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200), st.floats(0, 0.5)), max_size=300))
def test_second_tries_are_a_share_of_the_first_tries(steps: list[tuple[int, int, float]]) -> None:
    clock = Clock()
    budget = SecondTryBudget(clock)
    first = second = 0
    for rows, again, pause_s in steps:
        clock.now_s += pause_s
        budget.earn(rows, ROW_S)
        first += rows
        if again and budget.spend(again):
            second += again
    seconds = clock.now_s - Clock.now_s
    assert second <= MIN_BURST_ROWS + SHARE * first + 200 * (1 + seconds / FLOOR_S)
