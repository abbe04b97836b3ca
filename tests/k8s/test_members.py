"""Members in the chart: a model that versions share is one Deployment, however many versions name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.cli.k8s import chart_output
from tests.k8s import catalogs, objects

SHARED = [f"model-{number}" for number in range(14)]


def catalog(folder: Path) -> Path:
    """Writes a catalog of two versions with 15 models each, of which they share 14."""
    members = "".join(f"  - {{name: {name}, uri: s3://m/{name}.txt}}\n" for name in SHARED)
    votes = "".join(f"      - {{member: {name}}}\n" for name in SHARED)
    versions = "".join(
        f"  {version}:\n    traffic: 50\n    models:\n{votes}      - {{name: own, uri: s3://m/{version}.txt}}\n"
        for version in ("old", "new")
    )
    file = folder / "sharing.yaml"
    file.write_text(f"{catalogs.head('sharing')}members:\n{members}versions:\n{versions}", encoding="utf-8")
    return file


@pytest.mark.usefixtures("helm")
def test_two_versions_that_share_14_of_15_models_are_16_deployments_hpas_and_services(tmp_path: Path) -> None:
    file = catalog(tmp_path)
    rendered = objects.of(chart_output.render(file, file.stem))
    workers = {f"sharing-shared-{name}" for name in SHARED} | {"sharing-old-own", "sharing-new-own"}
    assert len(workers) == 16
    for kind in ("Deployment", "HorizontalPodAutoscaler", "Service"):
        names = [one["metadata"]["name"] for one in rendered.of_kind(kind)]
        of_workers = [name for name in names if not name.startswith("sharing-supervisor")]
        assert sorted(of_workers) == sorted(workers), kind


@pytest.mark.usefixtures("helm")
def test_pods_of_a_member_load_the_file_of_the_member(tmp_path: Path) -> None:
    file = catalog(tmp_path)
    deployment = objects.of(chart_output.render(file, file.stem)).named("Deployment", "sharing-shared-model-3")
    (worker,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "--uri=s3://m/model-3.txt" in worker["args"]
