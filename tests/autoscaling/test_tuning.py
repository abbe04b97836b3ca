"""The search for the cheapest HPAs that keep a promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaling.cluster import load_reader
from autoscaling.cluster.games import Settings
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.runs import Input
from autoscaling.tuning import search as tuning
from autoscaling.tuning import slo
from autoscaling.tuning.search import Tuned, tune, with_changes
from mesh.errors import Misconfigured
from tests.autoscaling.simulated_games import catalog, costs_of, run

HEAVY = replace(ASSUMED, row_s=0.005, row_cpu_s=0.005)
LOAD = "spike:from=40,to=300,at=900,for=300,length=2700"


@pytest.fixture(scope="module")
def wasteful() -> Tuned:
    """What is found for HPAs that aim at 20 %."""
    game = catalog(hpa={"cpu_percent": 20}, replicas={"min": 4, "max": 60})
    what = Input([(game, load_reader.read(LOAD))], costs_of(game, HEAVY), Settings())
    return tune(what, slo.parse("p95=100ms,full=99%"), 2, lambda _stage, _share: None)


def test_what_is_found_keeps_the_promise_for_less(wasteful: Tuned) -> None:
    assert wasteful.best is not None
    assert wasteful.best.misses == ()
    assert wasteful.best.core_hours < 0.8 * wasteful.now.core_hours


def test_what_is_found_keeps_it_when_it_is_simulated_by_itself(wasteful: Tuned) -> None:
    assert wasteful.best is not None
    game = catalog(hpa={"cpu_percent": 20}, replicas={"min": 4, "max": 60})
    changed = with_changes(game, wasteful.best.choice)
    result = run(changed, LOAD, Settings(seed=1), HEAVY)
    assert slo.parse("p95=100ms,full=99%").misses(result) == []


def test_a_promise_that_cannot_be_kept_is_told_so() -> None:
    game = catalog()
    what = Input([(game, load_reader.read("steady:rps=50,length=900"))], costs_of(game, HEAVY), Settings())
    found = tune(what, slo.parse("p50=1ms"), 1, lambda _stage, _share: None)
    assert found.best is None
    assert all("p50" in " ".join(point.misses) for point in found.frontier)


def test_never_fewer_than_two_replicas_are_proposed() -> None:
    assert min(tuning.LEAST) == 2  # a node must be drained without an outage


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p96=1ms", "'p96' is not known; promise p50, p95, p99, full, answered"),
        ("p95=150", "'150' is no time; write 150ms"),
        ("full=101%", "'101%' is no share; write 99.9%"),
        ("full=most", "'most' is no number above 0"),
    ],
)
def test_a_promise_that_makes_no_sense_is_one_clear_line(text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        slo.parse(text)
    assert raised.value.faults == [f"--slo {text}: {told}"]
