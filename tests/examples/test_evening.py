"""The example with badly tuned HPAs: what docs/operating.md says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader, model_costs
from autoscaling.cluster.games import Settings
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import simulate
from examples.evening.build import FOLDER, TREES
from mesh.catalog import catalog
from tests.autoscaling.simulated_games import track

EVENING = "spike:from=1500,to=4000,at=900,for=1800,length=5400"


@pytest.fixture(scope="module")
def evening() -> GameResult:
    """The rush, from the profile that is kept beside the catalog."""
    game = catalog.load(Path(FOLDER / "mesh.yaml"))
    names = [("evening", "2026-11", name) for name in TREES]
    found = model_costs.of_models(names, capacity_profile.load(FOLDER / "profile.json"))
    (result,) = simulate([(game, load_reader.read(EVENING))], found, Settings(offers=24))
    return result


def test_the_catalog_the_profile_and_the_models_are_of_the_same_names() -> None:
    models = catalog.load(FOLDER / "mesh.yaml").versions["2026-11"].models
    assert [model.name for model in models] == list(TREES)


def test_whales_is_stuck_at_its_max_and_loses_votes(evening: GameResult) -> None:
    whales = track(evening, "whales")
    assert whales.replicas[100] == whales.max_replicas == 3
    assert whales.late[100] > 0.5


def test_regulars_flaps(evening: GameResult) -> None:
    assert len(track(evening, "regulars").rescales) > 2 * len(track(evening, "minnows").rescales)


def test_veterans_is_slow(evening: GameResult) -> None:
    ten_minutes_on = (900 + 600) // 15
    assert (
        track(evening, "veterans").replicas[ten_minutes_on] < 0.6 * track(evening, "dolphins").replicas[ten_minutes_on]
    )
