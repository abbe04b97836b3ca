"""The rate of reports falls as offers take the event loop's time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from supervisor.outcomes.rate import BURST_S, BUSY, LATE_S, LEAST_PER_S, MOST_PER_S, PROBE_S, STARVED, OutcomeRate


@dataclass
class Machine:
    """A machine with a clock that the test sets."""

    now_s: float = 0.0
    starved: float = 0.0
    departures: int = 0

    def peek(self) -> float:
        return self.starved

    def rate(self) -> OutcomeRate:
        return OutcomeRate(self, lambda: self.departures, clock=lambda: self.now_s, cpu_clock=lambda: 0.0)


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
    ("busy", "late_s", "starved", "share"),
    [
        (0.0, 0.0, 0.0, 1.0),
        (BUSY[0], LATE_S[0], STARVED[0], 1.0),
        (sum(BUSY) / 2, 0.0, 0.0, 0.5),
        (0.0, sum(LATE_S) / 2, 0.0, 0.5),
        (0.0, 0.0, sum(STARVED) / 2, 0.5),
        (BUSY[1], 0.0, 0.0, 0.0),
        (1.0, 0.0, 0.0, 0.0),
        (0.1, 1.0, 0.0, 0.0),
        (0.1, 0.0, 0.9, 0.0),
    ],
)
def test_busy_late_or_starved_loop_takes_fewer_reports(
    busy: float, late_s: float, starved: float, share: float
) -> None:
    rate = Machine(starved=starved).rate()
    rate.set_rate(busy, late_s)
    assert rate.per_s == pytest.approx(LEAST_PER_S + share * (MOST_PER_S - LEAST_PER_S))


def test_reports_that_were_saved_up_do_not_outlive_a_lower_rate() -> None:
    machine = Machine()
    rate = machine.rate()
    rate.set_rate(1.0, 0.0)
    assert taken(rate) == int(LEAST_PER_S * BURST_S)


async def test_reports_wait_for_their_turn_in_order() -> None:
    rate = OutcomeRate(Machine(), lambda: 0, cpu_clock=lambda: 0.0)
    rate.set_rate(1.0, 0.0)
    taken(rate)
    turns: list[int] = []

    async def wait(number: int) -> None:
        assert await rate.turn(within_s=20.0)
        turns.append(number)

    await asyncio.gather(*map(wait, range(5)))
    assert (turns, rate.waiting) == ([0, 1, 2, 3, 4], 0)


async def test_report_whose_turn_does_not_come_in_time_gets_none() -> None:
    machine = Machine()  # its clock stands still
    rate = machine.rate()
    taken(rate)
    assert not await rate.turn(within_s=0.01)


async def test_caller_that_leaves_the_queue_does_not_hold_up_the_next_one() -> None:
    machine = Machine()
    rate = machine.rate()
    taken(rate)
    first, second = (asyncio.create_task(rate.turn(within_s=20.0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    machine.now_s += 1 / MOST_PER_S + 1e-9
    assert await second
    assert not rate.waiting


async def probed(machine: Machine, departures: int) -> float:
    """Returns the rate after a probe of a loop that was busy all the time, while cohorts departed."""
    times_s = iter([0.0, PROBE_S])
    rate = OutcomeRate(machine, lambda: machine.departures, lambda: machine.now_s, lambda: next(times_s, PROBE_S))
    rate.per_s = 1.0
    watching = asyncio.create_task(rate.watch())
    await asyncio.sleep(0)
    machine.now_s += PROBE_S
    machine.departures += departures
    while rate.per_s == 1.0:  # noqa: ASYNC110 (the probe has no event)
        await asyncio.sleep(0.01)
    watching.cancel()
    return rate.per_s


async def test_watch_lowers_the_rate_of_a_loop_that_is_busy_with_offers() -> None:
    assert await probed(Machine(), departures=1) == LEAST_PER_S


async def test_busy_machine_does_not_lower_the_rate_while_no_offers_are_requested() -> None:
    assert await probed(Machine(starved=0.9), departures=0) == MOST_PER_S
