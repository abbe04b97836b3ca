"""The example with badly tuned HPAs: the facts in docs/operating.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader, model_costs
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from examples.evening.build import FOLDER, TREES
from mesh.catalog import catalog
from tests.autoscaling.simulated_games import deployment

EVENING = "spike:from=1500,to=4000,at=900,for=1800,length=5400"


@pytest.fixture(scope="module")
def evening() -> GameResult:
    """The result of the rush, with the profile of the example."""
    game = catalog.load(Path(FOLDER / "mesh.yaml"))
    names = [("evening", "2026-11", name) for name in TREES]
    costs = model_costs.costs_by_model(names, capacity_profile.load(FOLDER / "profile.json"))
    (result,) = simulate(SimulationInput([(game, load_reader.read(EVENING))], costs, Settings(offers=100)))
    return result


def test_catalog_and_build_have_the_same_models() -> None:
    models = catalog.load(FOLDER / "mesh.yaml").versions["2026-11"].models
    assert [model.name for model in models] == list(TREES)


def test_whales_stays_at_max_replicas_and_loses_votes(evening: GameResult) -> None:
    whales = deployment(evening, "whales")
    assert whales.replicas[100] == whales.max_replicas == 3
    assert whales.late[100] > 0.5


def test_regulars_is_rescaled_too_often(evening: GameResult) -> None:
    assert len(deployment(evening, "regulars").rescales) > 2 * len(deployment(evening, "minnows").rescales)


def test_veterans_scales_up_too_slowly(evening: GameResult) -> None:
    ten_minutes_on = (900 + 600) // 15
    assert (
        deployment(evening, "veterans").replicas[ten_minutes_on]
        < 0.6 * deployment(evening, "dolphins").replicas[ten_minutes_on]
    )
