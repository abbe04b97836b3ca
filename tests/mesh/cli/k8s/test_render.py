"""`mesh k8s render` for any game."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from mesh.cli.k8s import chart_output
from mesh.cli.main import main
from tests.k8s import catalogs


def render(*words: str | Path) -> int:
    return main(["k8s", "render", *map(str, words)])


@pytest.fixture
def _helm() -> None:
    if chart_output.helm() is None:
        pytest.skip("helm is not installed; install Go and run `make k8s-tools`")


@pytest.mark.usefixtures("_helm")
def test_game_is_written_to_a_folder_that_diff_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder = catalogs.small(tmp_path), tmp_path / "out/small"
    assert render(file, "--to", tmp_path / "out", "--namespace", "games") == 0
    assert sorted(one.name for one in folder.iterdir()) == [
        "1-minnows.yaml",
        "1-whales.yaml",
        "kustomization.yaml",
        "shared.yaml",
    ]
    assert yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["namespace"] == "games"
    assert main(["k8s", "diff", str(file), "--rendered", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no change: all 3 HPAs match the catalog"


@pytest.mark.usefixtures("_helm")
def test_render_replaces_the_files_of_removed_models_but_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "out/small"
    folder.mkdir(parents=True)
    (folder / "1-old.yaml").write_text(chart_output.HEAD + "kind: Job\n", encoding="utf-8")
    (folder / "extra.yaml").write_text("kind: Job\n", encoding="utf-8")
    assert render(catalogs.small(tmp_path), "--to", tmp_path / "out") == 0
    assert not (folder / "1-old.yaml").exists()
    assert (folder / "extra.yaml").exists()


@pytest.mark.usefixtures("_helm")
def test_objects_are_printed_and_values_override_the_catalog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("replicas: {max: 77}\n", encoding="utf-8")
    assert render(catalogs.small(tmp_path), "--values", more, "--set", "supervisor.replicas.max=5") == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    hpas = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "HorizontalPodAutoscaler"}
    found = {name: spec["maxReplicas"] for name, spec in hpas.items()}
    assert found == {"small-1-minnows": 77, "small-1-whales": 77, "small-supervisor": 5}


@pytest.mark.usefixtures("_helm")
def test_offers_of_the_catalog_are_passed_to_the_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "offers.csv").write_text("offer_id,price\nstarter,1\n", encoding="utf-8")
    assert render(catalogs.small(tmp_path, "offers: {path: offers.csv, fallback: starter}")) == 0
    assert "starter,1" in capsys.readouterr().out


def test_missing_helm_and_missing_chart_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM", str(tmp_path / "helm"))
    assert render(catalogs.small(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("helm: not found; install it (https://helm.sh), run `make k8s-tools`")
    (tmp_path / "helm").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "helm").chmod(stat.S_IRWXU)
    assert render(catalogs.small(tmp_path), "--chart", tmp_path) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}: is not a chart; give --chart with the folder k8s/chart of a checkout\n"
    )
