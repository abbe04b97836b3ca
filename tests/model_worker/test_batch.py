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


def test_requests_share_one_call_and_get_their_own_scores() -> None:
    forest = GatedForest()
    works = [work(Caller(), 1), work(Caller(), 2, 3), work(Caller(), 4)]
    batch = predict_batch(forest, works, starved=0.25)
    parts = [outcome.scores for _, outcome in batch.outcomes if isinstance(outcome, Scored)]
    assert parts == [scores(2), scores(3, 4), scores(5)]
    assert forest.batches == [4]
    assert batch.rows == 4


def test_cost_of_a_call_is_divided_by_rows() -> None:
    batch = predict_batch(GatedForest(), [work(Caller(), 1), work(Caller(), 2, 3, 4)], starved=0.25)
    small, large = (outcome for _, outcome in batch.outcomes)
    assert isinstance(small, Scored)
    assert isinstance(large, Scored)
    assert abs(large.predict_ns - 3 * small.predict_ns) <= 3
    assert small.starved == large.starved == 0.25
    assert small.queue_ns > 0


def test_expired_and_abandoned_requests_are_not_predicted() -> None:
    forest, gone = GatedForest(), Caller()
    gone.gone = True
    works = [work(Caller(), 1, expires_ns=0), work(gone, 2), work(Caller(), 3)]
    outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    assert forest.batches == [1]
    assert isinstance(outcomes[works[0]], Expired)
    assert isinstance(outcomes[works[1]], Expired)
    assert isinstance(outcomes[works[2]], Scored)


def test_batch_of_expired_requests_makes_no_call() -> None:
    forest = GatedForest()
    batch = predict_batch(forest, [work(Caller(), 1, expires_ns=0)], 0.0)
    assert (forest.batches, batch.rows) == ([], 0)


def test_failed_prediction_is_an_error_without_details_for_the_whole_batch(
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
    """Returns a factored request: shared rows that begin with `first`, and all candidates of `table` or `picks`."""
    asked = Pairs(table, len(first), picks)
    return Work(rows(*first), count, Caller(), time.monotonic_ns(), pairs=asked)


def picked(*positions: int) -> Picks:
    return Picks(array("I", [len(positions)]).tobytes(), array("I", positions).tobytes())


def candidates(*second: float) -> Candidates:
    """Returns candidates for the second column, which the fake forest does not read."""
    return Candidates((1,), array("d", second).tobytes(), len(second))


def outcomes_of(forest: GatedForest, *works: Work) -> list[bytes]:
    outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    return [outcome.scores for outcome in map(outcomes.get, works) if isinstance(outcome, Scored)]


def test_plain_rows_and_pairs_of_one_turn_get_their_own_scores() -> None:
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


def test_each_request_gets_the_scores_of_its_picks() -> None:
    forest = GatedForest()
    table = forest.table(Candidates((0,), array("d", [7, 8]).tobytes(), 2))
    works = [pairs(table, [0], picked(1), count=1), pairs(table, [0], picked(0, 1, 0), count=3)]
    assert outcomes_of(forest, *works) == [scores(9), scores(8, 9, 8)]
    assert forest.batches == [4]


def test_pair_counts_and_costs_as_a_row() -> None:
    forest = GatedForest()
    table = forest.table(candidates(7, 8, 9))
    batch = predict_batch(forest, [pairs(table, [1], count=3), pairs(table, [2, 3], count=6), work(Caller(), 1)], 0.0)
    small, large, _ = (outcome.predict_ns for _, outcome in batch.outcomes if isinstance(outcome, Scored))
    assert batch.rows == 10
    assert abs(large - 2 * small) <= 3


def test_failure_of_one_table_affects_only_its_requests(caplog: pytest.LogCaptureFixture) -> None:
    forest, broken = GatedForest(), GatedForest()
    broken.failure = ValueError("secret")
    works = [pairs(broken.table(candidates(7)), [1], count=1), work(Caller(), 2)]
    with caplog.at_level(logging.ERROR):
        outcomes = dict(predict_batch(forest, works, 0.0).outcomes)
    assert isinstance(outcomes[works[0]], MeshError)
    assert isinstance(outcomes[works[1]], Scored)
