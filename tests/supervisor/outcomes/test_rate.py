"""The rate of reports falls as offers take the event loop's time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from supervisor.outcomes.rate import BURST_S, LATE_S, LEAST_PER_S, MOST_PER_S, OutcomeRate


@dataclass
class Machine:
    """A machine with a clock that the test sets."""

    now_s: float = 0.0
    starved: float = 0.0

    def peek(self) -> float:
        return self.starved

    def rate(self) -> OutcomeRate:
        return OutcomeRate(self, clock=lambda: self.now_s, cpu_clock=lambda: 0.0)


def taken(rate: OutcomeRate) -> int:
    count = 0
    while rate.take():
        count += 1
    return count


def test_idle_loop_takes_the_most_reports() -> None:
    machine = Machine()
    rate = machine.rate()
    assert taken(rate) == MOST_PER_S * BURST_S
    machine.now_s += 0.1
    assert taken(rate) == pytest.approx(MOST_PER_S * 0.1, abs=1)


@pytest.mark.parametrize(
    ("busy", "late_s", "starved", "expected"),
    [
        (0.0, 0.0, 0.0, MOST_PER_S),
        (0.4, 0.0, 0.0, MOST_PER_S),
        (0.6, 0.0, 0.0, (MOST_PER_S + LEAST_PER_S) / 2),
        (0.8, 0.0, 0.0, LEAST_PER_S),
        (1.0, 0.0, 0.0, LEAST_PER_S),
        (0.1, LATE_S + 0.01, 0.0, LEAST_PER_S),
        (0.1, 0.0, 0.5, LEAST_PER_S),
    ],
)
def test_busy_late_or_starved_loop_takes_fewer_reports(
    busy: float, late_s: float, starved: float, expected: float
) -> None:
    rate = Machine(starved=starved).rate()
    rate.set_rate(busy, late_s)
    assert rate.per_s == pytest.approx(expected)


def test_reports_that_were_saved_up_do_not_outlive_a_lower_rate() -> None:
    machine = Machine()
    rate = machine.rate()
    rate.set_rate(1.0, 0.0)
    assert taken(rate) == int(LEAST_PER_S * BURST_S)


def test_wait_is_the_time_until_the_next_report() -> None:
    machine = Machine()
    rate = machine.rate()
    assert rate.wait_s() == 0
    rate.set_rate(1.0, 0.0)
    taken(rate)
    wait_s = rate.wait_s()
    assert 0 < wait_s <= 1 / LEAST_PER_S
    machine.now_s += wait_s + 1e-9
    assert rate.take()


async def test_watch_lowers_the_rate_of_a_busy_loop() -> None:
    machine = Machine()
    times_s = iter([0.0, 0.0, 0.25])
    rate = OutcomeRate(machine, clock=lambda: machine.now_s, cpu_clock=lambda: next(times_s))
    watching = asyncio.create_task(rate.watch())
    await asyncio.sleep(0)
    machine.now_s = 0.25
    next(times_s)  # the loop was busy all the time
    while rate.per_s == MOST_PER_S:  # noqa: ASYNC110 (the probe has no event)
        await asyncio.sleep(0.01)
    watching.cancel()
    assert rate.per_s == LEAST_PER_S
