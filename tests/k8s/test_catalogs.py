"""The catalogs that the chart keeps, and the checks that Helm makes; tests/cluster covers those that need a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from k8s.values import CHART
from mesh.cli.k8s import chart_output
from mesh.errors import Misconfigured
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects

pytestmark = pytest.mark.usefixtures("helm")
TWO = """\
game: small
features: {{store: dynamodb, table: players, region: eu-west-1}}
callers: {{anyone: true}}
kubernetes: {{network_policies: {{callers: anyone}}}}
versions:
  "1": {{traffic: {first}, models: [{{name: whales, uri: s3://m/w.txt}}]}}
  "2": {{{second}models: [{{name: whales, uri: s3://m/w2.txt}}]}}
{more}
"""


def two_versions(folder: Path, first: float, second: str, more: str = "") -> Path:
    """Writes a catalog of two versions; `second` are the keys of the second one, with a comma after each."""
    file = folder / "small.yaml"
    file.write_text(TWO.format(first=first, second=second, more=more), encoding="utf-8")
    return file


def rendered(file: Path) -> Objects:
    return objects.of(chart_output.render(file, "small"))


def data(game: Objects, name: str) -> dict[str, Any]:
    found: dict[str, Any] = game.named("ConfigMap", name)["data"]
    return found


def test_followed_catalog_has_an_immutable_copy_that_its_history_names(game: Objects) -> None:
    (pointed,) = (one for one in game.of_kind("ConfigMap") if "history" in one.get("data", {}))
    assert pointed.get("immutable") is None
    (name,) = pointed["data"]["history"].split()
    kept = game.named("ConfigMap", name)
    assert kept["immutable"] is True
    assert kept["data"] == {"mesh.yaml": pointed["data"]["mesh.yaml"]}


def test_changed_traffic_changes_no_pod(tmp_path: Path) -> None:
    before, after = (rendered(two_versions(tmp_path, share, f"traffic: {100 - share}, ")) for share in (90, 50))
    assert before.of_kind("Deployment") == after.of_kind("Deployment")
    assert data(before, "small-catalog") != data(after, "small-catalog")
    assert before.names("ConfigMap") != after.names("ConfigMap")


def test_shadows_are_in_the_catalog_of_the_supervisors_and_change_no_pod(tmp_path: Path) -> None:
    before, after = (rendered(two_versions(tmp_path, 100, f"traffic: 0, shadow: {share}, ")) for share in (10, 100))
    versions = yaml.safe_load(data(after, "small-catalog")["mesh.yaml"])["versions"]
    assert versions["2"]["shadow"] == 100
    assert before.of_kind("Deployment") == after.of_kind("Deployment")


def test_equal_catalogs_have_copies_of_one_name(tmp_path: Path) -> None:
    games = [rendered(two_versions(tmp_path, 90, "traffic: 10, ", more)) for more in ("", "hpa: {cpu_percent: 40}")]
    assert games[0].names("ConfigMap") == games[1].names("ConfigMap")


@pytest.mark.parametrize(("discovery", "follows"), [("endpoint_slices", True), ("dns", False)])
def test_supervisor_follows_the_config_map_if_it_may_read_it(tmp_path: Path, discovery: str, follows: bool) -> None:
    file = catalogs.small(tmp_path, f"kubernetes: {{discovery: {discovery}}}")
    (container,) = rendered(file).named("Deployment", "small-supervisor")["spec"]["template"]["spec"]["containers"]
    assert ("--config-map=small-catalog" in container["args"]) is follows


@pytest.mark.parametrize(
    ("first", "second", "total"),
    [(90, "", 190), (90, "traffic: 0, ", 90), (33.3, "traffic: 33.3, ", 66.6), (0, "traffic: 0, ", 0)],
)
def test_traffic_that_does_not_add_up_to_100_is_refused(
    tmp_path: Path, first: float, second: str, total: float
) -> None:
    with pytest.raises(Misconfigured, match=f"the traffic of the versions adds up to {total:g}; change the shares"):
        rendered(two_versions(tmp_path, first, second))


@pytest.mark.parametrize(("first", "second"), [(33.3, "traffic: 66.7, "), (100, "traffic: 0, "), (0, "")])
def test_traffic_that_adds_up_to_100_is_accepted(tmp_path: Path, first: float, second: str) -> None:
    assert rendered(two_versions(tmp_path, first, second)).all


def with_hooks(helm: str, file: Path, *more: str) -> list[dict[str, Any]]:
    """The objects that Helm applies before the others."""
    command = [helm, "template", "small", str(CHART), "--kube-version", chart_output.KUBERNETES, "-f", str(file), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    objects = [one.values for one in chart_output.documents(done.stdout)]
    return [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]


def test_helm_checks_the_catalog_in_a_job_before_the_other_objects(helm: str, tmp_path: Path) -> None:
    file = catalogs.everything(tmp_path)
    config, job = with_hooks(helm, file)
    assert [one["metadata"]["annotations"]["helm.sh/hook"] for one in (config, job)] == ["pre-install,pre-upgrade"] * 2
    for one in (config, job):
        kubernetes_validate.validate(one, "1.36", strict=True)
    assert (
        config["data"]["mesh.yaml"]
        == data(objects.of(chart_output.render(file, "x")), "everything-catalog")["mesh.yaml"]
    )
    pod = job["spec"]["template"]["spec"]
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert "files" in {one["name"] for one in pod["volumes"]}
    assert "--models-elsewhere" in pod["containers"][0]["args"]  # a model at /models/m.txt


def test_check_can_be_switched_off_and_is_not_rendered_for_kubectl(helm: str, tmp_path: Path) -> None:
    file = catalogs.small(tmp_path)
    assert with_hooks(helm, file, "--set", "kubernetes.check=false") == []
    assert "Job" not in {one["kind"] for one in rendered(file).all}


def test_command_of_the_check_passes_for_a_good_catalog_and_fails_for_a_bad_one(helm: str, tmp_path: Path) -> None:
    config, job = with_hooks(helm, catalogs.small(tmp_path))
    container = job["spec"]["template"]["spec"]["containers"][0]
    words = [
        word.replace("/etc/ensemble-mesh", str(tmp_path)) for word in [*container["command"][1:], *container["args"]]
    ]
    for quorum, code in ((2, 0), (3, 2)):
        text = config["data"]["mesh.yaml"].replace(
            "      models:", f"      combine: {{quorum: {quorum}}}\n      models:"
        )
        (tmp_path / "mesh.yaml").write_text(
            text.replace("    models:", f"    combine: {{quorum: {quorum}}}\n    models:")
        )
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
