"""The simulated world as a whole: HPAs under loads, in clusters with and without room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.cluster.games import Settings
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.results import GameResult
from mesh.errors import Misconfigured
from tests.autoscaling.simulated_games import catalog, run, track

HEAVY = replace(ASSUMED, row_s=0.005, row_cpu_s=0.005)
STEP = "step:from=20,to=400,at=600,length=3600"


def test_the_same_input_gives_the_same_output_and_another_seed_another() -> None:
    def told(seed: int) -> list[list[float]]:
        result = run(catalog(), STEP, Settings(seed=seed), HEAVY)
        return [result.p99_s.tolist(), *(one.ready.tolist() for one in result.tracks)]

    assert told(1) == told(1) != told(2)


@settings(deadline=None, max_examples=15)
@given(rps=st.floats(1, 400), percent=st.integers(20, 150))
def test_a_constant_load_settles(rps: float, percent: int) -> None:
    game = catalog(hpa={"cpu_percent": percent}, replicas={"min": 1, "max": 100})
    result = run(game, f"steady:rps={rps},length=3600", Settings(), HEAVY)
    for one in result.tracks:
        assert len(set(one.replicas[-60:])) == 1


@settings(deadline=None, max_examples=15)
@given(
    least=st.integers(1, 5), more=st.integers(0, 20), load=st.sampled_from([STEP, "spike:from=5,to=900", "ramp:to=800"])
)
def test_replicas_stay_between_min_and_max(least: int, more: int, load: str) -> None:
    bounds = {"min": least, "max": least + more}
    result = run(catalog(replicas=bounds, supervisor={"replicas": bounds}), load, Settings(), HEAVY)
    for one in result.tracks:
        assert least <= one.replicas.min() <= one.replicas.max() <= least + more


def test_replicas_are_as_many_as_bring_the_cpu_to_its_target() -> None:
    # 100 a second at 5.4 ms of CPU, messages of one row: 0.54 cores; 60 % of 0.5 cores is 0.3 a replica
    one = track(run(catalog(), "steady:rps=100,length=3600", Settings(), HEAVY), "whales")
    assert one.replicas[-1] == 2
    assert one.percent[-1] == pytest.approx(54, abs=1)


def test_more_load_makes_more_replicas_within_a_minute_or_two() -> None:
    one = track(run(catalog(), STEP, Settings(), HEAVY), "whales")
    began = 600 // 15
    first = int(np.argmax(one.replicas > one.replicas[0]))
    assert 1 <= first - began <= 4


def test_less_load_waits_for_the_stabilisation_window() -> None:
    one = track(run(catalog(), "step:from=200,to=20,at=600,length=3600", Settings(), HEAVY), "whales")
    first = int(np.argmax(one.replicas < one.replicas[0]))
    assert 600 + 300 <= first * 15 <= 600 + 300 + 60


def test_a_model_that_is_too_slow_costs_its_own_vote_only() -> None:
    game = catalog({"whales": {"replicas": {"min": 1, "max": 1}}, "minnows": {}, "pvp": {}}, replicas={"min": 4})
    result = run(game, "steady:rps=400,length=600", Settings(), HEAVY)
    assert result.share("partial") > 0.3
    assert result.share("fallback") < 0.05
    assert track(result, "whales").late[-1] > 0.3
    assert track(result, "minnows").late[-1] < 0.05


def test_without_a_quorum_the_answer_is_the_fallback() -> None:
    game = catalog(replicas={"min": 1, "max": 1})
    result = run(game, "steady:rps=2000,length=600", Settings(), HEAVY)
    assert result.share("fallback") > 0.5


def test_pods_without_a_node_stay_pending() -> None:
    free, crowded = (run(catalog(), STEP, Settings(cores=cores), HEAVY) for cores in (1000.0, 7.0))
    asked, ready = (track(crowded, "whales"), track(free, "whales"))
    assert asked.replicas[-1] > asked.ready[-1]
    assert ready.replicas[-1] == ready.ready[-1]


def test_while_the_metrics_apis_fail_nothing_is_scaled() -> None:
    blind = run(catalog(), STEP, Settings(api_down=((0.0, 3600.0),)), HEAVY)
    assert len(set(track(blind, "whales").replicas)) == 1


def test_what_is_fixed_stays() -> None:
    result = run(catalog(), STEP, Settings(fixed={"g-1-whales": 7}), HEAVY)
    assert set(track(result, "whales").replicas) == {7.0}


def test_rows_in_flight_scale_a_model_too() -> None:
    game = catalog({"whales": {"signal": "in_flight", "in_flight": {"rows": 1}}, "minnows": {}}, quorum=1)
    one = track(run(game, STEP, Settings(), HEAVY), "whales")
    assert one.replicas[-1] > one.replicas[0]


def test_a_metric_that_is_not_simulated_is_a_clear_line() -> None:
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": 1}},
    }
    with pytest.raises(Misconfigured, match=r"g-1-whales: metrics\[0\]: the Pods metric 'queue' is of something"):
        run(catalog({"whales": {"hpa": {"metrics": [pods]}}}, quorum=1), STEP)


def test_shares_of_the_answers_add_up() -> None:
    result: GameResult = run(catalog(), "spike:from=20,to=900", Settings(), HEAVY)
    assert np.allclose(result.full + result.partial + result.fallback, 1.0)
