"""The search for the cheapest HPAs that meet an SLO."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaling.cluster import load_reader
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from autoscaling.tuning import slo
from autoscaling.tuning.candidate import with_changes
from autoscaling.tuning.search import MIN_REPLICAS, SearchResult, search
from mesh.errors import Misconfigured
from tests.autoscaling.simulated_games import catalog, costs_of, run

HEAVY = replace(ASSUMED, row_s=0.005, row_cpu_s=0.005)
LOAD = "spike:from=40,to=300,at=900,for=300,length=2700"


@pytest.fixture(scope="module")
def wasteful() -> SearchResult:
    """The search result for HPAs with a target of 20 %."""
    game = catalog(hpa={"cpu_percent": 20}, replicas={"min": 4, "max": 60})
    given = SimulationInput([(game, load_reader.read(LOAD))], costs_of(game, HEAVY), Settings())
    return search(given, slo.parse("p95=100ms,full=99%"), 2, lambda _stage, _share: None)


def test_best_point_meets_the_slo_at_lower_cost(wasteful: SearchResult) -> None:
    assert wasteful.best is not None
    assert wasteful.best.misses == ()
    assert wasteful.best.core_hours < 0.8 * wasteful.current.core_hours


def test_best_point_meets_the_slo_in_a_separate_simulation(wasteful: SearchResult) -> None:
    assert wasteful.best is not None
    game = catalog(hpa={"cpu_percent": 20}, replicas={"min": 4, "max": 60})
    changed = with_changes(game, wasteful.best.choice)
    result = run(changed, LOAD, Settings(seed=1), HEAVY)
    assert slo.parse("p95=100ms,full=99%").misses(result) == []


def test_slo_that_no_candidate_meets_has_no_best_point() -> None:
    game = catalog()
    given = SimulationInput([(game, load_reader.read("steady:rps=50,length=900"))], costs_of(game, HEAVY), Settings())
    found = search(given, slo.parse("p50=1ms"), 1, lambda _stage, _share: None)
    assert found.best is None
    assert all("p50" in " ".join(point.misses) for point in found.frontier)


def test_candidates_have_at_least_two_replicas() -> None:
    assert min(MIN_REPLICAS) == 2  # a node must be drained without an outage


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p96=1ms", "'p96' is not known; use p50, p95, p99, full, answered"),
        ("p95=150", "'150' is not a time; write it as 150ms"),
        ("full=101%", "'101%' is not a share; write it as 99.9%"),
        ("full=most", "'most' is not a number above 0"),
    ],
)
def test_fault_in_an_slo_is_reported(text: str, message: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        slo.parse(text)
    assert raised.value.faults == [f"--slo {text}: {message}"]
