"""The breaker before a feature store."""

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


def test_a_store_that_fails_again_and_again_is_asked_once_in_a_while() -> None:
    clock = Clock()
    breaker = broken(clock)
    admitted = []
    for _ in range(80):
        clock.now_s += PROBE_EVERY_S / 8
        admitted.append(admits(breaker))
    assert sum(admitted) == 10
    with pytest.raises(Spared, match="asked only every 500 ms, since it failed: throttled"):
        breaker.admit()


def test_the_first_read_that_brings_something_closes_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now_s += PROBE_EVERY_S
    assert admits(breaker)
    breaker.succeeded()
    assert all(admits(breaker) for _ in range(10))


def test_failures_between_successes_do_not_trip_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(10 * FAILURES):
        for _ in range(FAILURES - 1):
            breaker.failed("slow", "")
        breaker.succeeded()
    assert admits(breaker)
