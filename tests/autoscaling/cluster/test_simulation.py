"""The complete simulation: HPAs under loads, in clusters with and without free cores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaling.cluster import load_reader, runs
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput, model_keys
from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured
from tests.autoscaling.simulated_games import catalog, costs_of, deployment, run

HEAVY = replace(ASSUMED, row_s=0.005, row_cpu_s=0.005)
STEP = "step:from=20,to=400,at=600,length=3600"


def test_output_depends_only_on_the_input_and_the_seed() -> None:
    def output(seed: int) -> list[list[float]]:
        result = run(catalog(), STEP, Settings(seed=seed), HEAVY)
        return [result.p99_s.tolist(), *(one.ready.tolist() for one in result.deployments)]

    assert output(1) == output(1) != output(2)


@settings(deadline=None, max_examples=15)
@given(rps=st.floats(1, 400), percent=st.integers(20, 150))
def test_replicas_settle_under_constant_load(rps: float, percent: int) -> None:
    game = catalog(hpa={"cpu_percent": percent}, replicas={"min": 1, "max": 100})
    result = run(game, f"steady:rps={rps},length=3600", Settings(), HEAVY)
    for one in result.deployments:
        assert len(set(one.replicas[-60:])) == 1


@settings(deadline=None, max_examples=15)
@given(
    min_replicas=st.integers(1, 5),
    more=st.integers(0, 20),
    load=st.sampled_from([STEP, "spike:from=5,to=900", "ramp:to=800"]),
)
def test_replicas_stay_between_min_and_max(min_replicas: int, more: int, load: str) -> None:
    bounds = {"min": min_replicas, "max": min_replicas + more}
    result = run(catalog(replicas=bounds, supervisor={"replicas": bounds}), load, Settings(), HEAVY)
    for one in result.deployments:
        assert min_replicas <= one.replicas.min() <= one.replicas.max() <= min_replicas + more


def test_replicas_bring_the_cpu_to_its_target() -> None:
    # 100 a second, messages of one row at 5.1 ms of CPU and 0.4 ms after a pause of 14 ms: 0.55 cores in two replicas
    one = deployment(run(catalog(), "steady:rps=100,length=3600", Settings(), HEAVY), "whales")
    assert one.replicas[-1] == 2
    assert one.percent[-1] == pytest.approx(55, abs=1)


def test_scaling_up_takes_at_most_four_ticks() -> None:
    one = deployment(run(catalog(), STEP, Settings(), HEAVY), "whales")
    began = 600 // 15
    first = int(np.argmax(one.replicas > one.replicas[0]))
    assert 1 <= first - began <= 4


def test_scaling_down_waits_for_the_stabilisation_window() -> None:
    one = deployment(run(catalog(), "step:from=200,to=20,at=600,length=3600", Settings(), HEAVY), "whales")
    first = int(np.argmax(one.replicas < one.replicas[0]))
    assert 600 + 300 <= first * 15 <= 600 + 300 + 60


def test_slow_model_loses_only_its_own_vote() -> None:
    game = catalog({"whales": {"replicas": {"min": 1, "max": 1}}, "minnows": {}, "pvp": {}}, replicas={"min": 4})
    result = run(game, "steady:rps=400,length=600", Settings(), HEAVY)
    assert result.share("partial") > 0.3
    assert result.share("fallback") < 0.05
    assert deployment(result, "whales").late[-1] > 0.3
    assert deployment(result, "minnows").late[-1] < 0.05


def test_answer_without_a_quorum_is_the_fallback() -> None:
    game = catalog(replicas={"min": 1, "max": 1})
    result = run(game, "steady:rps=2000,length=600", Settings(), HEAVY)
    assert result.share("fallback") > 0.5


def test_pods_stay_pending_if_nodes_are_full() -> None:
    free, crowded = (run(catalog(), STEP, Settings(cores=cores), HEAVY) for cores in (1000.0, 7.0))
    crowded_whales, free_whales = (deployment(crowded, "whales"), deployment(free, "whales"))
    assert crowded_whales.replicas[-1] > crowded_whales.ready[-1]
    assert free_whales.replicas[-1] == free_whales.ready[-1]


def test_replicas_do_not_change_while_the_metrics_apis_fail() -> None:
    blind = run(catalog(), STEP, Settings(api_down=((0.0, 3600.0),)), HEAVY)
    assert len(set(deployment(blind, "whales").replicas)) == 1


def test_fixed_replicas_do_not_change() -> None:
    result = run(catalog(), STEP, Settings(fixed={"g-1-whales": 7}), HEAVY)
    assert set(deployment(result, "whales").replicas) == {7.0}


def test_rows_in_flight_scale_a_model() -> None:
    game = catalog({"whales": {"signal": "in_flight", "in_flight": {"rows": 1}}, "minnows": {}}, quorum=1)
    one = deployment(run(game, STEP, Settings(), HEAVY), "whales")
    assert one.replicas[-1] > one.replicas[0]


def test_metric_that_is_not_simulated_is_refused() -> None:
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": 1}},
    }
    with pytest.raises(Misconfigured, match=r"g-1-whales: metrics\[0\]: the Pods metric 'queue' is not simulated"):
        run(catalog({"whales": {"hpa": {"metrics": [pods]}}}, quorum=1), STEP)


def test_shares_of_full_partial_and_fallback_answers_add_up_to_1() -> None:
    result: GameResult = run(catalog(), "spike:from=20,to=900", Settings(), HEAVY)
    assert np.allclose(result.full + result.partial + result.fallback, 1.0)


def test_fleet_fixed_at_the_peak_is_whole_although_an_hpa_is_stuck_at_its_maximum() -> None:
    game = catalog({"whales": {"replicas": {"min": 1, "max": 1}}, "minnows": {}, "pvp": {}}, replicas={"min": 4})
    of_peak = SimulationInput(
        [(game, load_reader.read("steady:rps=400,length=900"))], costs_of(game, HEAVY), Settings()
    )
    results = simulate(of_peak)
    assert results[0].share("partial") > 0.3
    (fixed,) = runs.run_fixed_at_peak(of_peak, results)
    assert fixed.share("full") > 0.999
    assert deployment(fixed, "whales").replicas[0] > 1
    assert len(set(deployment(fixed, "whales").replicas)) == 1


def test_game_of_several_versions_has_the_costs_of_each() -> None:
    plain = catalog().model_dump(by_alias=True, exclude_unset=True)
    (version,) = plain["versions"].values()
    plain["versions"] = {name: {**version, "traffic": 50} for name in ("1", "2")}
    game = Catalog.model_validate(plain)
    costs = {key: HEAVY if key[1] == "2" else ASSUMED for key in model_keys(game)}
    (result,) = simulate(SimulationInput([(game, load_reader.read("steady:rps=200,length=900"))], costs, Settings()))
    light, heavy = (next(one for one in result.deployments if one.name == f"g-{v}-whales") for v in "12")
    assert heavy.percent.mean() * heavy.replicas.mean() > 5 * light.percent.mean() * light.replicas.mean()
