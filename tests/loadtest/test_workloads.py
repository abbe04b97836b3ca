from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from loadtest.workload_files import write_inputs
from loadtest.workloads import S15, W15, W15X100, W30, Workload, endpoints_of, model_names
from mesh.catalog import catalog


@pytest.mark.parametrize("workload", [W15, W15X100, W30, S15], ids=lambda workload: workload.game)
def test_mesh_accepts_the_catalog_of_a_workload(workload: Workload, tmp_path: Path) -> None:
    write_inputs(workload, tmp_path)
    loaded = catalog.load(tmp_path / "mesh.yaml")
    assert [model.name for model in loaded.versions["1"].models] == model_names(workload)
    assert (loaded.game, loaded.versions["1"].quorum) == (workload.game, workload.quorum)


def test_every_model_has_its_own_replicas() -> None:
    addresses = [f"127.0.0.1:{port}" for port in range(1000, 1060)]
    models = endpoints_of(S15, addresses)["s15"]["1"]
    assert list(models) == model_names(S15)
    assert list(chain(*models.values())) == addresses
    assert {len(replicas) for replicas in models.values()} == {4}


def test_capacity_uses_the_mean_service_time_and_not_the_median() -> None:
    assert S15.capacity_rps == pytest.approx(4 / 0.03337, rel=1e-3)
