"""The breaker before a feature store."""

from __future__ import annotations

from supervisor.features.breaker import FAILURES, PROBE_EVERY_S, Breaker
from tests.supervisor.test_features import Clock


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.admits()
        breaker.failed("throttled")
    return breaker


def test_a_store_that_fails_again_and_again_is_asked_once_in_a_while() -> None:
    clock = Clock()
    breaker = broken(clock)
    admitted = []
    for _ in range(80):
        clock.now_s += PROBE_EVERY_S / 8
        admitted.append(breaker.admits())
    assert sum(admitted) == 10
    assert "throttled" in breaker.reason


def test_the_first_read_that_brings_something_opens_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now_s += PROBE_EVERY_S
    assert breaker.admits()
    breaker.succeeded()
    assert all(breaker.admits() for _ in range(10))


def test_failures_between_successes_do_not_shut_it() -> None:
    breaker = Breaker(Clock())
    for _ in range(10 * FAILURES):
        for _ in range(FAILURES - 1):
            breaker.failed("slow")
        breaker.succeeded()
    assert breaker.admits()
