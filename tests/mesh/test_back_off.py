"""The pauses between retries."""

from __future__ import annotations

import math

import pytest

from mesh.back_off import BackOff


def test_pauses_double_up_to_the_cap_and_start_again_after_a_reset() -> None:
    pauses = BackOff(0.1, 3.0, lambda _, high: high)
    assert [pauses.next_s() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    assert pauses.failures == 7
    pauses.reset()
    assert pauses.failures == 0
    assert pauses.next_s() == 0.1


def test_shortest_pause_is_half_of_the_longest() -> None:
    assert BackOff(0.1, 3.0, lambda low, _: low).next_s() == 0.05


def test_full_jitter_starts_at_zero() -> None:
    assert BackOff(0.1, 3.0, lambda low, _: low, jitter=1.0).next_s() == 0.0


def test_pauses_without_a_cap_stay_finite() -> None:
    pauses = BackOff(0.1, math.inf, lambda _, high: high)
    assert [pauses.next_s() for _ in range(40)][-1] == pytest.approx(0.1 * 2.0**30)


def test_time_of_the_attempt_is_a_part_of_the_pause() -> None:
    pauses = BackOff(0.1, 3.0, lambda _, high: high)
    assert [pauses.next_s(0.25) for _ in range(5)] == pytest.approx([0.1, 0.1, 0.15, 0.55, 1.35])


def test_long_attempt_leaves_a_short_pause() -> None:
    assert BackOff(0.1, 3.0, lambda low, _: low).next_s(10.0) == 0.05
