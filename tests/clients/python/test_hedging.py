from __future__ import annotations

import pytest
from ensemble_mesh_client.hedging import LEARN_EVERY, WINDOW, AnswerTimes, HedgeBudget


def test_p95_is_the_given_one_until_there_are_enough_answers() -> None:
    times = AnswerTimes(0.075)
    for _ in range(LEARN_EVERY - 1):
        times.record(0.001)
    assert times.p95_s == 0.075
    times.record(0.001)
    assert times.p95_s == 0.001


def test_p95_follows_the_last_answers() -> None:
    times = AnswerTimes(1.0)
    for number in range(10 * WINDOW):
        times.record(0.050 if number % 10 == 0 else 0.002)
    assert times.p95_s == 0.050
    for _ in range(WINDOW):
        times.record(0.003)
    assert times.p95_s == 0.003


def test_hedges_are_a_share_of_the_requests() -> None:
    budget, hedges = HedgeBudget(2), 0
    for _ in range(10_000):
        budget.record_request()
        hedges += budget.take()
    assert hedges == pytest.approx(200, abs=2)


def test_quiet_time_saves_only_a_few_hedges() -> None:
    budget = HedgeBudget(2)
    for _ in range(100_000):
        budget.record_request()
    assert sum(budget.take() for _ in range(100)) == 10
