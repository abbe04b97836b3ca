from __future__ import annotations

import math
from array import array

import pytest

from mesh.errors import Expired
from model_worker.batch import Batch, Outcome, Pairs, Scored, Work
from model_worker.forest import Candidates, Picks
from model_worker.row_costs import RowCosts
from tests.model_worker.fakes import Caller, GatedForest, work

TABLE = GatedForest().table(Candidates((1,), array("d", [7, 8]).tobytes(), 2))
PICKS = Picks(array("I", [2]).tobytes(), array("I", [0, 1]).tobytes())
ROWS = work(Caller(), 1, 2)
ALL = Work(b"", 2, Caller(), 0, pairs=Pairs(TABLE, 1, None))
PICKED = Work(b"", 2, Caller(), 0, pairs=Pairs(TABLE, 1, PICKS))


def batch(one: Work, predict_ns: int) -> Batch:
    outcomes: list[tuple[Work, Outcome]] = [(one, Scored(b"", predict_ns, 0, 0.0))]
    return Batch(outcomes, one.count, predict_ns)


@pytest.mark.parametrize("one", [ROWS, ALL, PICKED])
def test_cost_is_unknown_before_the_first_measurement(one: Work) -> None:
    assert RowCosts().estimate_ns(one) == math.inf


def test_estimate_is_the_cost_of_a_row_times_the_rows() -> None:
    costs = RowCosts()
    costs.learn(batch(ROWS, 2000))
    assert costs.estimate_ns(work(Caller(), 1, 2, 3)) == 3000


def test_each_form_has_its_own_cost() -> None:
    costs = RowCosts()
    for one, predict_ns in ((ROWS, 2000), (ALL, 20), (PICKED, 200)):
        costs.learn(batch(one, predict_ns))
    assert [costs.estimate_ns(one) for one in (ROWS, ALL, PICKED)] == [2000, 20, 200]


def test_small_and_large_requests_have_their_own_costs() -> None:
    costs, large = RowCosts(), work(Caller(), *range(8))
    costs.learn(batch(ROWS, 2000))
    assert costs.estimate_ns(large) == math.inf
    costs.learn(batch(large, 4000))
    assert [costs.estimate_ns(one) for one in (ROWS, large)] == [2000, 4000]


def test_estimate_follows_the_cost_smoothly() -> None:
    costs = RowCosts()
    costs.learn(batch(ROWS, 1600))
    costs.learn(batch(ROWS, 3200))
    assert costs.estimate_ns(ROWS) == 1800
    for _ in range(100):
        costs.learn(batch(ROWS, 3200))
    assert costs.estimate_ns(ROWS) == pytest.approx(3200, rel=0.001)


def test_batch_of_several_requests_teaches_nothing_about_one() -> None:
    costs = RowCosts()
    one, other = batch(ROWS, 2000), batch(work(Caller(), 1, 2), 2000)
    costs.learn(Batch([*one.outcomes, *other.outcomes], 4, 4000))
    assert costs.estimate_ns(ROWS) == math.inf


def test_refused_work_teaches_nothing() -> None:
    costs = RowCosts()
    costs.learn(Batch([(ROWS, Expired("late"))], 0, 5))
    assert costs.estimate_ns(ROWS) == math.inf
