"""The learned time of a reply."""

from __future__ import annotations

import random

import numpy as np
import pytest

from supervisor.reply_delay import FLOOR_S, LONGEST_S, MARGIN, SHORTEST_S, ReplyDelay


@pytest.mark.parametrize("scale_s", [0.002, 0.02, 0.2])
def test_estimate_is_the_95th_percentile_of_the_delays(scale_s: float) -> None:
    draw = random.Random(1)
    delays_s = [draw.expovariate(1 / scale_s) for _ in range(6000)]
    delay = ReplyDelay()
    estimates_s = []
    for one_s in delays_s:
        delay.learn(one_s + 0.5, 0.5)
        estimates_s.append(delay.p95_s)
    assert np.median(estimates_s[1000:]) == pytest.approx(np.quantile(delays_s, 0.95), rel=0.2)


def test_one_reply_changes_the_estimate_little_however_late_it_is() -> None:
    delay = ReplyDelay()
    before_s = delay.p95_s
    delay.learn(3600.0, 0.0)
    assert before_s < delay.p95_s < 1.1 * before_s


def test_estimate_stays_in_bounds() -> None:
    delay = ReplyDelay()
    for _ in range(2000):
        delay.learn(0.0, 1.0)
    assert delay.p95_s == SHORTEST_S
    for _ in range(2000):
        delay.learn(3600.0, 0.0)
    assert delay.p95_s == LONGEST_S


def test_limit_grows_with_the_work_and_the_usual_delay_and_has_a_floor() -> None:
    delay = ReplyDelay()
    delay.p95_s = SHORTEST_S
    assert delay.limit_s(0.0) == FLOOR_S
    assert delay.limit_s(0.3) == pytest.approx(FLOOR_S + MARGIN * 0.3)
    delay.p95_s = 0.1
    assert delay.limit_s(0.3) == pytest.approx(MARGIN * 0.4)
