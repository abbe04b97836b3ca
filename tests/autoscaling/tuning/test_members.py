"""The search and its patch for a catalog in which versions share members."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaling.cluster import load_reader
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from autoscaling.tuning import catalog_patch, result_patch, slo
from autoscaling.tuning.candidate import Candidate, with_changes
from autoscaling.tuning.search import SearchResult, search
from mesh.catalog import catalog as catalogs
from mesh.catalog.deployment.autoscalers import autoscalers
from tests.autoscaling.simulated_games import costs_of

TEXT = """\
game: g
features: {store: dynamodb, table: players, region: eu-west-1}
members:
  - {name: whales, uri: s3://m/w.txt}   # shared
  - name: pvp
    uri: s3://m/p.txt
    replicas: {min: 6, max: 50}
versions:
  old:
    traffic: 70
    models:
      - {member: whales, weight: 2}
      - {member: pvp}
      - {name: asia, uri: s3://m/a.txt}
  new:
    traffic: 30
    models:
      - {member: pvp, weight: 3}
      - {member: whales}
"""
MODELS = ["shared/whales", "shared/pvp", "old/asia"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalog") / "mesh.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def found(file: Path) -> SearchResult:
    game = catalogs.load(file)
    load = load_reader.read("steady:rps=200,length=900")
    given = SimulationInput([(game, load)], costs_of(game, ASSUMED), Settings())
    return search(given, slo.parse("p95=200ms,full=90%"), 1, lambda _stage, _share: None)


def test_changed_member_is_still_the_same_member_in_every_version(file: Path) -> None:
    changed = with_changes(catalogs.load(file), {"shared/pvp": Candidate(70, 3, 9, None)})
    assert [(one.replicas.min, one.hpa.cpu_percent) for one in changed.members] == [(2, 60), (3, 70)]
    votes = {name: [(one.name, one.weight, one.is_member) for one in v.models] for name, v in changed.versions.items()}
    assert votes == {
        "old": [("whales", 2, True), ("pvp", 1, True), ("asia", 1, False)],
        "new": [("pvp", 3, True), ("whales", 1, True)],
    }


def test_search_chooses_one_candidate_for_each_member_and_each_own_model(found: SearchResult) -> None:
    assert found.best is not None
    assert list(found.best.choice) == MODELS


def test_patch_writes_the_settings_of_a_member_into_the_list_of_members(file: Path, found: SearchResult) -> None:
    assert found.best is not None
    patch = result_patch.patch(file, catalogs.load(file), found.best)
    changed = [line for line in patch.splitlines() if line.startswith("-  ")]
    assert any("name: whales" in line for line in changed)
    assert not any("member:" in line for line in changed)


def test_patched_catalog_has_the_hpas_that_were_simulated(file: Path, tmp_path: Path) -> None:
    game = catalogs.load(file)
    choice = dict.fromkeys(MODELS, Candidate(110, 2, 9, None))
    changes = {name: one.applied_to({}) for name, one in choice.items()}
    patched = tmp_path / "mesh.yaml"
    patched.write_text(catalog_patch.apply_changes(TEXT, changes))
    assert list(autoscalers(catalogs.load(patched))) == list(autoscalers(with_changes(game, choice)))
    assert "# shared" in patched.read_text()
