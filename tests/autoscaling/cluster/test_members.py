"""Members in the simulator: one Deployment, whose load is that of all versions that name the member."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaling.cluster.model_costs import ASSUMED
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from tests.autoscaling.simulated_games import deployment, run

TWO = """
game: g
features: {store: dynamodb, table: players, region: eu-west-1}
members: [{name: whales, uri: s3://m/m.txt}, {name: pvp, uri: s3://m/m.txt}]
versions:
  old: {traffic: 70, models: [{member: whales}, {member: pvp}, {name: asia, uri: s3://m/m.txt}]}
  new: {traffic: 30, models: [{member: pvp}, {member: whales}, {name: asia, uri: s3://m/m.txt}]}
"""
ONE = """
game: g
features: {store: dynamodb, table: players, region: eu-west-1}
versions:
  old: {models: [{name: whales, uri: s3://m/m.txt}, {name: pvp, uri: s3://m/m.txt}, {name: asia, uri: s3://m/m.txt}]}
"""
RISE = "step:from=50,to=1500,at=300,length=900"


def load(folder: Path, text: str) -> Catalog:
    (folder / "mesh.yaml").write_text(text)
    return catalogs.load(folder / "mesh.yaml")


def test_load_of_a_member_is_the_sum_over_its_versions(tmp_path: Path) -> None:
    two, one = (run(load(tmp_path, text), "steady:rps=200,length=1800") for text in (TWO, ONE))
    names = [series.name for series in two.deployments]
    assert names == ["g-supervisor", "g-shared-whales", "g-shared-pvp", "g-old-asia", "g-new-asia"]
    alone = float(deployment(one, "whales").cores[60:].mean())
    assert float(deployment(two, "whales").cores[60:].mean()) == pytest.approx(alone, rel=0.02)
    assert float(deployment(two, "old-asia").cores[60:].mean()) < alone
    assert two.full[60:].mean() > 0.99


def test_hpa_of_a_member_sees_a_rise_of_the_load_at_once(tmp_path: Path) -> None:
    heavy = replace(ASSUMED, row_s=0.002, row_cpu_s=0.002)
    found = run(load(tmp_path, TWO), RISE, cost=heavy)
    first_s = {one.name: one.rescales[0].at_s for one in found.deployments if one.rescales}
    assert first_s["g-shared-whales"] == pytest.approx(first_s["g-old-asia"], abs=60)
