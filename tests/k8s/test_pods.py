"""The settings of pods, for all pods, a game's workers, a version, a model and the supervisor; umbrella charts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.catalog import catalog
from mesh.cli.k8s import chart_output
from mesh.errors import Misconfigured
from tests.k8s import catalogs, objects

WHALES, SUPERVISOR = "everything-2026-10-01-whales", "everything-supervisor"


@pytest.fixture(scope="module")
def pods(helm: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:  # noqa: ARG001
    """The pod template of each Deployment of the catalog that sets every key."""
    game = objects.of(chart_output.render(catalogs.everything(tmp_path_factory.mktemp("catalog")), "everything"))
    return {one["metadata"]["name"]: one["spec"]["template"] for one in game.of_kind("Deployment")}


def env_of(pod: Any) -> dict[str, Any]:
    return {one.pop("name"): one for one in map(dict, pod["spec"]["containers"][0]["env"])}


def test_variable_of_the_workers_replaces_the_variable_of_all_pods(pods: dict[str, Any]) -> None:
    secret = {"valueFrom": {"secretKeyRef": {"name": "answers", "key": "answer"}}}
    for name, pod in pods.items():
        assert env_of(pod)["ANSWER"] == ({"value": "42"} if name == SUPERVISOR else secret)
        assert env_of(pod)["NODE"] == {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}


def test_format_of_the_log_is_that_of_all_pods(pods: dict[str, Any]) -> None:
    for pod in pods.values():
        assert "--log-format=json" in pod["spec"]["containers"][0]["args"]


def test_lists_of_a_model_replace_those_of_all_pods_and_mappings_are_merged(pods: dict[str, Any]) -> None:
    whales, other = pods[WHALES]["spec"], pods["everything-2026-10-01-pods"]["spec"]
    assert whales["nodeSelector"] == {"pool": "mesh", "gpu": "no"}
    assert "tolerations" not in whales
    assert other["tolerations"] == [{"key": "mesh", "operator": "Exists"}]
    assert [one["name"] for one in whales["imagePullSecrets"]] == ["whales"]
    assert [one["name"] for one in other["imagePullSecrets"]] == ["registry"]
    assert (whales["priorityClassName"], other["priorityClassName"]) == ("whales", "high")
    assert "nodeAffinity" in whales["affinity"]
    assert "affinity" not in other


def test_labels_and_annotations_are_added_to_those_of_the_chart(pods: dict[str, Any]) -> None:
    whales, supervisor = pods[WHALES]["metadata"], pods[SUPERVISOR]["metadata"]
    assert whales["labels"]["cost-center"] == "7"
    assert {whales["labels"]["team"], supervisor["labels"]["team"]} == {"live-ops"}
    assert whales["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert set(supervisor["annotations"]) == {
        "sidecar.istio.io/inject",
        "team.example.com/tier",
    }


def test_volumes_are_added_and_mounted(pods: dict[str, Any]) -> None:
    worker, supervisor = pods[WHALES]["spec"], pods[SUPERVISOR]["spec"]
    assert {"name": "ca", "configMap": {"name": "ca"}} in worker["volumes"]
    assert {"name": "ca", "mountPath": "/etc/ca", "readOnly": True} in worker["containers"][0]["volumeMounts"]
    assert {"name": "extra", "emptyDir": {}} in supervisor["volumes"]
    folders = [one for one in supervisor["containers"][0]["args"] if one.startswith(("--files=", "--volume="))]
    assert folders == ["--files=/srv/ensemble-mesh", "--volume=/extra"]
    mount = {"name": "extra", "mountPath": "/extra", "subPath": "a", "readOnly": False}
    assert mount in supervisor["containers"][0]["volumeMounts"]


def test_registry_is_added_to_images_that_name_none(pods: dict[str, Any]) -> None:
    images = {name: pod["spec"]["containers"][0]["image"] for name, pod in pods.items()}
    assert images[WHALES] == "r.example.com:5000/team/mesh/worker"
    assert images[SUPERVISOR].startswith("r.example.com:5000/team/ensemble-mesh/supervisor:")
    assert images["everything-2026-10-01-pods"].startswith("registry.example.com/mesh/worker@sha256:")


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("pod: {labels: {ensemble-mesh/model: x}}", "ensemble-mesh/model"),
        ("kubernetes: {labels: {app.kubernetes.io/component: x}}", "app.kubernetes.io/component"),
        ("pod: {volumes: {tmp: {mount: /t, source: {emptyDir: {}}}}}", "tmp"),
        ("pod: {env: {POD_NAMESPACE: x}}", "POD_NAMESPACE"),
        ("pod: {env: {A: {valueFrom: {}}}}", "valueFrom"),
        ("pod: {volumes: {a: {mount: t, source: {emptyDir: {}}}}}", "mount"),
    ],
)
def test_setting_that_the_chart_needs_is_refused_by_the_catalog_and_by_the_chart(
    tmp_path: Path, helm: str, more: str, word: str
) -> None:
    del helm
    file = catalogs.small(tmp_path, more)
    with pytest.raises(Misconfigured) as by_catalog:
        catalog.load(file)
    with pytest.raises(Misconfigured) as by_chart:
        chart_output.render(file, "small")
    assert word in str(by_catalog.value)
    assert word in str(by_chart.value)


def umbrella(folder: Path, values: str) -> Path:
    """Writes a studio's chart with the mesh as a dependency."""
    chart = folder / "studio"
    shutil.copytree(chart_output.CHART, chart / "charts/ensemble-mesh")
    dependency = '{name: ensemble-mesh, version: "*", repository: "", condition: ensemble-mesh.enabled}'
    head = f"apiVersion: v2\nname: studio\nversion: 0.1.0\ndependencies: [{dependency}]\n"
    (chart / "Chart.yaml").write_text(head, encoding="utf-8")
    game = yaml.safe_load(catalogs.small(folder).read_text(encoding="utf-8"))
    text = yaml.safe_dump({"ensemble-mesh": game}) + values
    (chart / "values.yaml").write_text(text, encoding="utf-8")
    return chart


def rendered(helm: str, chart: Path, *more: str) -> list[Any]:
    command = [helm, "template", "x", str(chart), "--kube-version", chart_output.KUBERNETES, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [one.values for one in chart_output.documents(done.stdout)]


def test_chart_works_as_a_dependency_with_global_values(tmp_path: Path, helm: str) -> None:
    chart = umbrella(tmp_path, "global: {imageRegistry: r.example, imagePullSecrets: [a, {name: b}], other: 1}\n")
    found = rendered(helm, chart)
    pods = [one["spec"]["template"]["spec"] for one in found if one["kind"] == "Deployment"]
    assert len(pods) == 3
    assert all(pod["containers"][0]["image"].startswith("r.example/ensemble-mesh/") for pod in pods)
    assert all([one["name"] for one in pod["imagePullSecrets"]] == ["a", "b"] for pod in pods)
    (config,) = [one for one in found if one["kind"] == "ConfigMap" and "history" in one["data"]]
    assert not {"global", "enabled"} & set(yaml.safe_load(config["data"]["mesh.yaml"]))


def test_dependency_can_be_disabled(tmp_path: Path, helm: str) -> None:
    chart = umbrella(tmp_path, "")
    assert rendered(helm, chart, "--set", "ensemble-mesh.enabled=true")
    assert rendered(helm, chart, "--set", "ensemble-mesh.enabled=false") == []


def test_keys_of_an_umbrella_chart_are_valid_in_a_catalog(tmp_path: Path) -> None:
    assert catalog.load(catalogs.small(tmp_path, "global: {imageRegistry: r.example}\nenabled: true")).game == "small"


def test_models_with_settings_of_pods_have_a_hash(tmp_path: Path) -> None:
    for more in ("", "pod: {env: {A: b}}"):
        (version,) = catalog.load(catalogs.small(tmp_path, model=more)).versions.values()
        assert len(set(version.models)) == 2
