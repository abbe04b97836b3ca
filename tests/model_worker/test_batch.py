from __future__ import annotations

import logging

import pytest

from mesh.errors import Expired, MeshError
from model_worker.batch import Scored, predict_batch
from tests.model_worker.fakes import Caller, GatedForest, scores, work


def test_requests_share_one_call_and_get_their_own_rows() -> None:
    forest = GatedForest()
    works = [work(Caller(), 1), work(Caller(), 2, 3), work(Caller(), 4)]
    batch = predict_batch(forest, works, starved=0.25)
    parts = [outcome.scores for _, outcome in batch.outcomes if isinstance(outcome, Scored)]
    assert parts == [scores(2), scores(3, 4), scores(5)]
    assert forest.batches == [4]
    assert batch.rows == 4


def test_the_cost_of_a_call_is_shared_by_rows() -> None:
    batch = predict_batch(GatedForest(), [work(Caller(), 1), work(Caller(), 2, 3, 4)], starved=0.25)
    small, large = (outcome for _, outcome in batch.outcomes)
    assert isinstance(small, Scored)
    assert isinstance(large, Scored)
    assert abs(large.predict_ns - 3 * small.predict_ns) <= 3
    assert small.starved == large.starved == 0.25
    assert small.queue_ns > 0


def test_the_expired_and_the_abandoned_are_not_predicted() -> None:
    forest, gone = GatedForest(), Caller()
    gone.gone = True
    works = [work(Caller(), 1, expires_ns=0), work(gone, 2), work(Caller(), 3)]
    outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    assert forest.batches == [1]
    assert isinstance(outcomes[works[0]], Expired)
    assert isinstance(outcomes[works[1]], Expired)
    assert isinstance(outcomes[works[2]], Scored)


def test_a_batch_of_only_expired_work_calls_nothing() -> None:
    forest = GatedForest()
    batch = predict_batch(forest, [work(Caller(), 1, expires_ns=0)], 0.0)
    assert (forest.batches, batch.rows) == ([], 0)


def test_a_failing_forest_costs_the_batch_its_scores_and_tells_no_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    forest = GatedForest()
    forest.failure = ValueError("secret")
    with caplog.at_level(logging.ERROR):
        batch = predict_batch(forest, [work(Caller(), 1), work(Caller(), 2)], 0.0)
    reasons = [outcome.reason for _, outcome in batch.outcomes if isinstance(outcome, MeshError)]
    assert reasons == ["internal error"] * 2
    assert [record.exc_info is not None for record in caplog.records] == [True]
