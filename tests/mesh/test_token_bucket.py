"""Token buckets: a burst, then a rate, whatever the times of the requests are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mesh.token_bucket import TokenBucket

PAUSES_S = some.lists(some.floats(0, 5), max_size=200)
RATES = some.floats(0.01, 1000)
BURSTS = some.floats(1, 100)
ROUNDING = 1e-6


@given(RATES, BURSTS, PAUSES_S)
def test_no_span_of_time_has_more_tokens_than_the_burst_and_the_rate_allow(
    per_s: float, burst: float, pauses_s: list[float]
) -> None:
    bucket, now_s, taken_s = TokenBucket(per_s, burst), 100.0, []
    for pause_s in pauses_s:
        now_s += pause_s
        if bucket.take(now_s) == 0:
            taken_s.append(now_s)
    for first, start_s in enumerate(taken_s):
        for last in range(first, len(taken_s)):
            assert last - first + 1 <= burst + per_s * (taken_s[last] - start_s) + ROUNDING


@given(RATES, BURSTS, PAUSES_S)
def test_refused_request_gets_a_token_after_the_reported_time(
    per_s: float, burst: float, pauses_s: list[float]
) -> None:
    bucket, now_s = TokenBucket(per_s, burst), 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        wait_s = bucket.take(now_s)
        if wait_s:
            now_s += wait_s + ROUNDING
            assert bucket.take(now_s) == 0


@given(RATES, BURSTS, some.lists(some.floats(0, 100), max_size=100))
def test_clock_that_goes_back_gives_no_tokens(per_s: float, burst: float, times_s: list[float]) -> None:
    bucket = TokenBucket(per_s, burst)
    taken = sum(bucket.take(now_s) == 0 for now_s in times_s)
    assert taken <= burst + per_s * max(times_s, default=0.0) + ROUNDING


def test_burst_comes_at_once_and_then_the_rate() -> None:
    bucket = TokenBucket(per_s=2, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(10.5) == 0
    assert bucket.take(10.75) == pytest.approx(0.25)


def test_time_that_a_clock_repeats_counts_once() -> None:
    bucket = TokenBucket(per_s=1, burst=1)
    assert [bucket.take(now_s) == 0 for now_s in (10.0, 0.0, 10.0, 11.0)] == [True, False, False, True]
