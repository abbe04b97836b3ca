from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Sequence

import pytest

from mesh.errors import Expired, MeshError
from model_worker.batch import Pairs, Scored, Work, predict_batch
from model_worker.forest import Candidates, CandidateTable, Picks
from tests.model_worker.fakes import Caller, GatedForest, rows, scores, work


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


def pairs(table: CandidateTable, first: Sequence[float], picks: Picks | None = None, count: int = 0) -> Work:
    """The pairs of requests, whose shared rows begin with `first`, with all candidates of `table` or with `picks`."""
    asked = Pairs(table, len(first), picks)
    return Work(rows(*first), count, Caller(), time.monotonic_ns(), pairs=asked)


def picked(*positions: int) -> Picks:
    return Picks(array("I", [len(positions)]).tobytes(), array("I", positions).tobytes())


def candidates(*second: float) -> Candidates:
    """Candidates that differ in the second column, which the fake forest does not look at."""
    return Candidates((1,), array("d", second).tobytes(), len(second))


def outcomes_of(forest: GatedForest, *works: Work) -> list[bytes]:
    outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    return [outcome.scores for outcome in map(outcomes.get, works) if isinstance(outcome, Scored)]


def test_plain_rows_and_pairs_are_predicted_in_one_turn_and_everybody_gets_their_own() -> None:
    forest = GatedForest()
    one, other = forest.table(candidates(7, 8)), forest.table(candidates(7))
    works = [
        pairs(one, [1, 2], count=4),
        work(Caller(), 3),
        pairs(one, [4], picked(1), count=1),
        pairs(other, [5], count=1),
        pairs(one, [6], count=2),
        pairs(one, [7], picked(1, 0), count=2),
        work(Caller(), 8),
    ]
    assert outcomes_of(forest, *works) == [
        scores(2, 2, 3, 3), scores(4), scores(5), scores(6), scores(7, 7), scores(8, 8), scores(9),
    ]  # fmt: skip
    assert sorted(forest.batches) == [1, 2, 3, 6]


def test_everybody_gets_the_candidates_that_they_picked() -> None:
    forest = GatedForest()
    table = forest.table(Candidates((0,), array("d", [7, 8]).tobytes(), 2))
    works = [pairs(table, [0], picked(1), count=1), pairs(table, [0], picked(0, 1, 0), count=3)]
    assert outcomes_of(forest, *works) == [scores(9), scores(8, 9, 8)]
    assert forest.batches == [4]


def test_a_pair_counts_as_a_row_and_pays_like_one() -> None:
    forest = GatedForest()
    table = forest.table(candidates(7, 8, 9))
    batch = predict_batch(forest, [pairs(table, [1], count=3), pairs(table, [2, 3], count=6), work(Caller(), 1)], 0.0)
    small, large, _ = (outcome.predict_ns for _, outcome in batch.outcomes if isinstance(outcome, Scored))
    assert batch.rows == 10
    assert abs(large - 2 * small) <= 3


def test_candidates_that_fail_cost_only_those_who_named_them_their_scores(caplog: pytest.LogCaptureFixture) -> None:
    forest, broken = GatedForest(), GatedForest()
    broken.failure = ValueError("secret")
    works = [pairs(broken.table(candidates(7)), [1], count=1), work(Caller(), 2)]
    with caplog.at_level(logging.ERROR):
        outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    assert isinstance(outcomes[works[0]], MeshError)
    assert isinstance(outcomes[works[1]], Scored)
