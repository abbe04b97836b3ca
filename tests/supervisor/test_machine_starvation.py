"""Starvation of the machine: the larger of the event loop's own share and the share that workers report."""

from __future__ import annotations

import math

import pytest

from supervisor.machine_starvation import REPORT_EXPIRES_S, STARVED_SHARE, MachineStarvation


class LoopThread:
    """The starvation of the event loop's thread, which the test sets; counts its samples."""

    def __init__(self) -> None:
        self.value, self.samples = 0.0, 0

    def share(self) -> float:
        self.samples += 1
        return self.value

    def peek(self) -> float:
        return self.value


class Machine:
    """A gauge whose own share and clock the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.loop_thread = LoopThread()
        self.gauge = MachineStarvation(self.loop_thread, clock=lambda: self.now_s)

    def report(self, share: float, times: int = 100) -> None:
        for _ in range(times):
            self.gauge.report(share)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_idle_machine_is_not_starved(machine: Machine) -> None:
    assert (machine.gauge.share(), machine.gauge.is_starved()) == (0.0, False)


def test_share_of_the_event_loop_makes_the_machine_starved(machine: Machine) -> None:
    machine.loop_thread.value = STARVED_SHARE + 0.01
    assert machine.gauge.is_starved()


def test_reports_of_workers_make_the_machine_starved(machine: Machine) -> None:
    machine.report(0.9)
    assert machine.gauge.is_starved()


def test_single_report_does_not_make_the_machine_starved(machine: Machine) -> None:
    machine.report(1.0, times=1)
    assert not machine.gauge.is_starved()


def test_peek_returns_the_share_without_taking_a_sample(machine: Machine) -> None:
    machine.loop_thread.value = 0.3
    assert machine.gauge.peek() == 0.3
    machine.report(0.9)
    peeked = machine.gauge.peek()
    assert machine.loop_thread.samples == 0
    assert peeked == machine.gauge.share() > 0.3


def test_reports_expire(machine: Machine) -> None:
    machine.report(0.9)
    machine.now_s += REPORT_EXPIRES_S
    assert not machine.gauge.is_starved()


@pytest.mark.parametrize("share", [math.nan, math.inf, 1e300])
def test_report_out_of_range_does_not_break_the_gauge(machine: Machine, share: float) -> None:
    machine.report(share, times=1)
    machine.report(0.9)
    assert STARVED_SHARE < machine.gauge.share() <= 1.0
