from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ensemble_mesh_client.hedging import LEARN_EVERY, WINDOW, AnswerTimes, HedgeBudget

VECTORS: dict[str, Any] = json.loads(Path("clients/conformance/hedging.json").read_text())


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


@pytest.mark.parametrize(("are_useful", "expected"), [(True, "if_all_are_first"), (False, "if_none_is_first")])
def test_hedges_are_a_share_of_the_requests_and_fewer_if_they_are_of_no_use(are_useful: bool, expected: str) -> None:
    budget, hedges = HedgeBudget(VECTORS["percent"]), 0
    for _ in range(VECTORS["requests"]):
        budget.record_request()
        if budget.take():
            hedges += 1
            if not are_useful:
                budget.record_useless()
    assert hedges == pytest.approx(VECTORS[f"hedges_{expected}"], abs=2)


def test_client_without_hedges_has_none() -> None:
    assert not HedgeBudget(0).take()


def test_quiet_time_saves_only_a_few_hedges() -> None:
    budget = HedgeBudget(2)
    for _ in range(100_000):
        budget.record_request()
    assert sum(budget.take() for _ in range(100)) == 10
