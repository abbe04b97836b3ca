"""The circuit breaker in front of a feature store."""

from __future__ import annotations

import pytest

from supervisor.features.breaker import FAILURES, PROBE_EVERY_S, Breaker, Spared
from tests.supervisor.test_features import Clock


def admits(breaker: Breaker) -> bool:
    try:
        breaker.admit()
    except Spared:
        return False
    return True


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert admits(breaker)
        breaker.failed("throttled", "in account 1")
    return breaker


def test_failing_store_gets_one_probe_in_each_period() -> None:
    clock = Clock()
    breaker = broken(clock)
    admitted = []
    for _ in range(80):
        clock.now_s += PROBE_EVERY_S / 8
        admitted.append(admits(breaker))
    assert sum(admitted) == 10
    with pytest.raises(Spared, match="asked only every 500 ms, because it failed: throttled"):
        breaker.admit()


def test_first_successful_read_closes_the_breaker() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now_s += PROBE_EVERY_S
    assert admits(breaker)
    breaker.succeeded()
    assert all(admits(breaker) for _ in range(10))


def test_failures_between_successes_do_not_open_the_breaker() -> None:
    breaker = Breaker(Clock())
    for _ in range(10 * FAILURES):
        for _ in range(FAILURES - 1):
            breaker.failed("slow", "")
        breaker.succeeded()
    assert admits(breaker)
