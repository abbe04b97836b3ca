from __future__ import annotations

from collections.abc import Mapping

import pytest

from loadtest.bench.aims import Aim, simulated_aims, trained_aims
from loadtest.bench.results import Footprint, LoadPoint, MeshCost, Trained, document, median_simulated, median_trained
from loadtest.bench.trained import cost_of
from loadtest.latency import Level
from loadtest.measuring import Point

CALLERS = (1, 8, 64, 256)


def _trained(mesh_rps: Mapping[int, float], monolith_rps: float = 500.0, first_answer_s: float = 2.0) -> Trained:
    return Trained(
        mesh={callers: Level(rps, 5.0, 8.0, 9.0) for callers, rps in mesh_rps.items()},
        costs={callers: MeshCost(callers * 10.0, callers * 20.0, callers / 2) for callers in mesh_rps},
        monolith={callers: Level(monolith_rps, 3.0, 4.0, 5.0) for callers in mesh_rps},
        footprint=Footprint(first_answer_s, 70.0, 52.0, 900.0, 240.0),
    )


ROUND = _trained({1: 150.0, 8: 500.0, 64: 1600.0, 256: 1200.0})
POINT = LoadPoint(
    p50_ms=46.0,
    p95_ms=55.0,
    limit_p50_ms=42.5,
    limit_p95_ms=49.5,
    slip_p99_ms=0.3,
    supervisor_cpu=0.3,
    replicas_cpu=0.4,
)


def test_the_document_has_the_agreed_keys() -> None:
    told = document(ROUND, {0.1: POINT, 0.4: POINT, 0.7: POINT})
    levels = {"rps", "p50_ms", "p95_ms", "p99_ms"}
    costs = {"supervisor_cpu_us", "worker_cpu_us", "supervisor_pss_mb", "worker_pss_mb", "first_answer_s"}
    assert set(told) == {"w15", "s15"}
    assert set(told["w15"]) == {"mesh", "monolith"} | costs
    for system in ("mesh", "monolith"):
        assert set(told["w15"][system]) == {"1", "8", "64", "256"}
        assert all(set(level) == levels for level in told["w15"][system].values())
    assert set(told["s15"]) == {"0.1", "0.4", "0.7"}
    assert told["s15"]["0.7"] == {"p50_ms": 46.0, "p95_ms": 55.0, "limit_p50_ms": 42.5, "limit_p95_ms": 49.5}


def test_a_workload_that_was_not_run_is_not_in_the_document() -> None:
    assert set(document(ROUND, None)) == {"w15"}
    assert set(document(None, {0.1: POINT})) == {"s15"}


def test_the_cpu_told_is_that_at_the_best_rate() -> None:
    told = document(ROUND, None)["w15"]
    assert (told["supervisor_cpu_us"], told["worker_cpu_us"]) == (640.0, 1280.0)


def test_one_bad_round_of_three_changes_no_figure() -> None:
    bad = _trained({1: 1.0, 8: 1.0, 64: 1.0, 256: 1.0}, monolith_rps=1.0, first_answer_s=60.0)
    assert median_trained([ROUND, bad, ROUND]) == ROUND
    slow = LoadPoint(900.0, 999.0, 42.5, 49.5, 50.0, 2.0, 2.0)
    assert median_simulated([{0.1: slow}, {0.1: POINT}, {0.1: POINT}]) == {0.1: POINT}


def test_the_best_rates_are_compared_whatever_the_number_of_callers() -> None:
    best = trained_aims(ROUND)[0]
    assert (best.measured, best.met) == (3.2, True)


@pytest.mark.parametrize(("load", "p50_bound", "p95_bound"), [(0.1, 1.12, 1.12), (0.4, 1.12, 1.12), (0.7, 1.15, 1.30)])
def test_the_aims_near_the_limit_are_those_agreed(load: float, p50_bound: float, p95_bound: float) -> None:
    at_the_limit = LoadPoint(50.0, 60.0, 50.0, 60.0, 0.1, 0.3, 0.4)
    assert [(aim.measured, aim.bound) for aim in simulated_aims({load: at_the_limit})] == [
        (1.0, p50_bound),
        (1.0, p95_bound),
    ]


def test_an_aim_may_ask_for_at_least_or_at_most() -> None:
    assert [Aim("", 2.5, 2.0, at_least=True).met, Aim("", 2.5, 2.0).met] == [True, False]


def test_cost_is_what_was_spent_for_each_answer() -> None:
    point = Point(4.0, Level(500, 1, 2, 3), 1000, {}, 0.0, {"supervisor": 0.5, "workers": 2.0}, 10.0)
    assert cost_of(point) == MeshCost(supervisor_cpu_us=500.0, worker_cpu_us=2000.0, mean_cohort=10.0)
