"""The example with badly tuned HPAs: the facts in docs/operating.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader, model_costs
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from autoscaling.cluster.supervisor_costs import supervisor_costs
from examples.evening.build import FOLDER, TREES
from mesh.catalog import catalog
from tests.autoscaling.simulated_games import deployment

DAY = "day:peak=5000,trough=250,at=68400,rush=0.6"
OFFERS = 100


@pytest.fixture(scope="module")
def evening() -> GameResult:
    """The result of the day, with the profile of the example."""
    game = catalog.load(Path(FOLDER / "mesh.yaml"))
    names = [("evening", "2026-11", name) for name in TREES]
    profile = capacity_profile.load(FOLDER / "profile.json")
    costs, settings = model_costs.costs_by_model(names, profile), Settings(offers=OFFERS)
    given = SimulationInput([(game, load_reader.read(DAY))], costs, settings, supervisor_costs(profile))
    (result,) = simulate(given)
    return result


def test_catalog_and_build_have_the_same_models() -> None:
    models = catalog.load(FOLDER / "mesh.yaml").versions["2026-11"].models
    assert [model.name for model in models] == list(TREES)


def test_whales_stays_at_max_replicas_and_loses_votes(evening: GameResult) -> None:
    whales = deployment(evening, "whales")
    assert whales.max_replicas == 3
    assert np.mean(whales.replicas == 3) > 0.5
    assert evening.late_share(whales) > 0.1
    assert evening.late_share(whales) == pytest.approx(evening.share("partial"))


def test_regulars_is_rescaled_too_often(evening: GameResult) -> None:
    rescales = {one.name: len(one.rescales) for one in evening.deployments}
    assert rescales.pop("evening-2026-11-regulars") >= 2 * max(rescales.values())


def test_veterans_scales_up_too_slowly(evening: GameResult) -> None:
    assert deployment(evening, "veterans").replicas.max() < 0.7 * deployment(evening, "dolphins").replicas.max()
