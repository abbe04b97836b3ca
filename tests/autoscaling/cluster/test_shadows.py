"""Shadows in the simulator: they have replicas, but no vote, and no load that counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaling.cluster import load_reader
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.results import GameResult
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from tests.autoscaling.simulated_games import catalog, costs_of, deployment, run

LOAD = "steady:rps=200,length=900"
HOPELESS = replace(ASSUMED, base_s=10.0, idle_cores=0.01)  # no vote of such a model is ever in time
MEMBER = """
game: g
features: {store: dynamodb, table: players, region: eu-west-1}
members: [{name: whales, uri: s3://m/m.txt}]
versions:
  old: {traffic: 75, models: [{member: whales, shadow: true}, {name: asia, uri: s3://m/m.txt}]}
  new: {traffic: 25, models: [{member: whales}, {name: asia, uri: s3://m/m.txt}]}
"""


def with_shadow() -> Catalog:
    """Two models that vote, both required, and a shadow."""
    return catalog({"whales": {}, "minnows": {}, "pvp": {"shadow": True}}, quorum=2)


def run_with_hopeless_shadow() -> GameResult:
    game = with_shadow()
    costs = costs_of(game) | {("g", "1", "pvp"): HOPELESS}
    (result,) = simulate(SimulationInput([(game, load_reader.read(LOAD))], costs, Settings()))
    return result


def test_answers_are_whole_without_the_vote_of_a_shadow() -> None:
    result = run_with_hopeless_shadow()
    assert result.share("full") == 1
    assert result.late_share(deployment(result, "pvp")) == 0


def test_replicas_of_a_shadow_rest() -> None:
    shadow = deployment(run_with_hopeless_shadow(), "pvp")
    assert shadow.cores == pytest.approx(HOPELESS.idle_cores * shadow.ready)
    assert shadow.ready.min() == 2


def test_supervisors_send_no_messages_of_answers_to_a_shadow() -> None:
    shadowed, plain = run(with_shadow(), LOAD), run(catalog(["whales", "minnows"]), LOAD)
    cores = [deployment(one, "supervisor").cores.sum() for one in (shadowed, plain)]
    assert cores[0] == pytest.approx(cores[1], rel=0.01)


def test_member_gets_the_rows_of_the_versions_in_which_it_votes(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(MEMBER)
    result = run(catalogs.load(file), LOAD, cost=replace(ASSUMED, row_s=0.001, row_cpu_s=0.001))
    assert deployment(result, "whales").cores == pytest.approx(deployment(result, "new-asia").cores, rel=0.05)
