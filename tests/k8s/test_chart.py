"""The chart, rendered by Helm: its output for catalogs, and its errors for wrong ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from k8s import render, values
from mesh.catalog import catalog
from mesh.catalog.deployment.autoscalers import autoscalers
from mesh.catalog.deployment.diff import changes
from mesh.catalog.shifts import shares_at
from mesh.cli.k8s import chart_output, hpa_objects
from mesh.errors import Misconfigured
from tests.k8s import catalogs, objects


def test_defaults_and_schema_are_generated_from_the_types() -> None:
    for path, text in values.files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale; run `make chart`"


@pytest.mark.usefixtures("helm")
def test_committed_render_equals_the_charts_output() -> None:
    folder = render.RENDERED / "dragonfall"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == render.example(), "k8s/rendered is stale; run `make rendered`"


def test_helm_lint_finds_no_fault(helm: str, tmp_path: Path) -> None:
    for file in (catalogs.EXAMPLE, catalogs.everything(tmp_path), *catalogs.many(tmp_path)):
        command = [
            helm,
            "lint",
            "--strict",
            str(values.CHART),
            "--kube-version",
            chart_output.KUBERNETES,
            "-f",
            str(file),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("helm")
def test_180_models_get_hpas_services_budgets_and_deployments(tmp_path: Path) -> None:
    rendered = [objects.of(chart_output.render(file, file.stem)) for file in catalogs.many(tmp_path)]
    for kind in ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        names = [name for game in rendered for name in game.names(kind)]
        assert len(names) == len(set(names)) == 184


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("which", ["example", "everything", "many"])
def test_chart_and_command_agree_on_every_hpa(tmp_path: Path, which: str) -> None:
    makers = {"example": lambda: catalogs.EXAMPLE, "everything": lambda: catalogs.everything(tmp_path)}
    file = makers[which]() if which in makers else catalogs.many(tmp_path)[0]
    folder = tmp_path / "rendered"
    folder.mkdir()
    for name, text in chart_output.files(chart_output.render(file, file.stem), "ns").items():
        (folder / name).write_text(text, encoding="utf-8")
    from_chart = hpa_objects.rendered(folder)
    from_command = list(autoscalers(catalog.load(file)))
    assert sorted(scaler.name for scaler in from_chart) == sorted(scaler.name for scaler in from_command)
    assert list(changes(from_chart, from_command)) == []


@pytest.mark.usefixtures("helm")
def test_supervisor_can_read_the_catalog_of_the_config_map(tmp_path: Path) -> None:
    for file in (catalogs.EXAMPLE, catalogs.everything(tmp_path), catalogs.small(tmp_path, model="weight: 0.00001")):
        (config_map,) = objects.of(chart_output.render(file, file.stem)).of_kind("ConfigMap")[:1]
        copy = tmp_path / "from-config-map.yaml"
        copy.write_text(config_map["data"]["mesh.yaml"], encoding="utf-8")
        assert _serving(catalog.load(copy), tmp_path) == _serving(catalog.load(file), file.parent)


SHIFTS = """\
assignment: {salt: november, holdout: 2}
versions:
  "1": {models: [{name: whales, uri: s3://m/w.txt}]}
  "2":
    rollout: {start: 2026-12-01T10:00:00Z, steps: [1, 100], hold_s: 900}
    guard: {to: "1", whole: 99.5, p99_ms: 80}
    models: [{name: whales, uri: s3://m/w.txt}]
"""


@pytest.mark.usefixtures("helm")
def test_rollout_guard_and_assignment_reach_the_supervisor(tmp_path: Path) -> None:
    file, copy = tmp_path / "small.yaml", tmp_path / "from-config-map.yaml"
    head = catalogs.head("small")
    file.write_text(head + SHIFTS, encoding="utf-8")
    (config_map,) = objects.of(chart_output.render(file, file.stem)).of_kind("ConfigMap")[:1]
    copy.write_text(config_map["data"]["mesh.yaml"], encoding="utf-8")
    given, found = catalog.load(file), catalog.load(copy)
    assert found.assignment == given.assignment
    assert found.versions["2"].guard == given.versions["2"].guard
    for time_s in (1_796_119_199.0, 1_796_119_200.0, 1_796_120_100.0):  # around 2026-12-01T10:00:00Z
        assert shares_at(found.versions, time_s) == shares_at(given.versions, time_s)
    assert shares_at(found.versions, 1_796_119_200.0) == {"1": 99, "2": 1}


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    "change",
    ["hpa: {cpu_percent: 55}", "replicas: {max: 11}", "hpa: {behavior: {scaleUp: {tolerance: 0.2}}}"],
)
def test_changed_hpa_of_one_model_changes_one_object(tmp_path: Path, change: str) -> None:
    before, after = (_by_name(catalogs.small(tmp_path, model=model)) for model in ("", change))
    assert before.keys() == after.keys()
    changed = [key for key in before if before[key] != after[key]]
    assert changed == [("HorizontalPodAutoscaler", "small-1-whales")]


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    ("more", "model", "switched"),
    [("", "engine: lightgbm", ["whales"]), ("engine: lightgbm", "", ["minnows", "whales"]), ("", "engine: auto", [])],
)
def test_engine_key_changes_only_the_workers_concerned(
    tmp_path: Path, more: str, model: str, switched: list[str]
) -> None:
    before, after = (_by_name(catalogs.small(tmp_path, *words)) for words in ((), (more, model)))
    assert before.keys() == after.keys()
    changed = [key for key in before if before[key] != after[key]]
    assert sorted(changed) == [("Deployment", f"small-1-{name}") for name in switched]
    assert all("            - --engine=lightgbm\n" in after[key] for key in changed)


@pytest.mark.usefixtures("helm")
def test_keda_gets_a_scaled_object_and_no_hpa(tmp_path: Path) -> None:
    game = objects.of(chart_output.render(catalogs.everything(tmp_path), "everything"))
    name = "everything-2026-10-01-0x1f"
    assert name not in game.names("HorizontalPodAutoscaler")
    (trigger,) = game.named("ScaledObject", name)["spec"]["triggers"]
    assert trigger["metadata"]["query"] == (
        'sum(mesh_rows_waiting{namespace="everything",game="everything",version="2026-10-01",model="0x1f"}) + '
        'sum(mesh_rows_outstanding{namespace="everything",game="everything",version="2026-10-01",model="0x1f"})'
    )


@pytest.mark.usefixtures("helm")
def test_worker_gets_the_category_columns_of_the_catalog(tmp_path: Path) -> None:
    file = catalogs.small(tmp_path, "", "categories: [region, tier]")
    containers = [pod["spec"]["containers"][0] for pod in objects.of(chart_output.render(file, "small")).pods]
    given = [word for one in containers for word in one["args"] if word.startswith("--categories")]
    assert given == ["--categories=region,tier"]


@pytest.mark.usefixtures("helm")
def test_worker_gets_the_golden_rows_of_its_model(tmp_path: Path) -> None:
    golden = f"golden: models/m.golden.jsonl, golden_sha256: {'ab' * 32}"
    file = catalogs.small(tmp_path, "kubernetes: {files: {emptyDir: {}}}", golden)
    containers = [pod["spec"]["containers"][0] for pod in objects.of(chart_output.render(file, "small")).pods]
    given = [word for one in containers for word in one["args"] if word.startswith("--golden")]
    assert given == ["--golden=/srv/ensemble-mesh/models/m.golden.jsonl", f"--golden-sha256={'ab' * 32}"]


@pytest.mark.usefixtures("helm")
def test_network_policies_admit_the_pods_of_mesh_verify(tmp_path: Path) -> None:
    policies = "kubernetes: {network_policies: {callers: [{podSelector: {matchLabels: {app: backend}}}]}}"
    game = objects.of(chart_output.render(catalogs.small(tmp_path, policies), "small"))
    verify = {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "verify", "ensemble-mesh/game": "small"}}}
    for name in ("small-workers", "small-supervisor"):
        assert verify in game.named("NetworkPolicy", name)["spec"]["ingress"][0]["from"]


@pytest.mark.usefixtures("helm")
def test_text_values_that_look_like_other_yaml_types_stay_texts(tmp_path: Path) -> None:
    more = "kubernetes: {host: '::', env: {'yes': '1'}}\nreplicas: {max: 1000000}\nhpa: {cpu_percent: 2000000}"
    file = catalogs.small(tmp_path, more, "signal: in_flight, in_flight: {metric: '123'}")
    file.write_text(file.read_text(encoding="utf-8").replace("s3://m/w.txt", "'s3://m/a: #1.txt'"), encoding="utf-8")
    game = objects.of(chart_output.render(file, "small"))
    containers = [pod["spec"]["containers"][0] for pod in game.pods]
    assert all("--host=::" in container["args"] for container in containers)
    assert all(container["env"][1] == {"name": "yes", "value": "1"} for container in containers)
    assert any("--uri=s3://m/a: #1.txt" in container["args"] for container in containers)
    whales, minnows = (
        game.named("HorizontalPodAutoscaler", f"small-1-{name}")["spec"] for name in ("whales", "minnows")
    )
    assert whales["metrics"][0]["external"]["metric"]["name"] == "123"
    target = minnows["metrics"][0]["containerResource"]["target"]["averageUtilization"]
    assert (repr(minnows["maxReplicas"]), repr(target)) == ("1000000", "2000000")


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(("load_s", "supervisor_s"), [(5, 180), (600, 600)])
def test_supervisors_startup_probe_allows_at_least_180_seconds(tmp_path: Path, load_s: int, supervisor_s: int) -> None:
    game = objects.of(chart_output.render(catalogs.small(tmp_path, f"kubernetes: {{load_s: {load_s}}}"), "small"))
    found = {
        name: game.named("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
        for name in ("small-supervisor", "small-1-whales")
    }
    seconds = {name: probe["periodSeconds"] * probe["failureThreshold"] for name, probe in found.items()}
    assert seconds == {"small-supervisor": supervisor_s, "small-1-whales": load_s}


@pytest.mark.usefixtures("helm")
def test_empty_list_of_ports_opens_no_port(tmp_path: Path) -> None:
    file = catalogs.small(tmp_path, "kubernetes: {network_policies: {callers: anyone, ports: []}}")
    policies = objects.of(chart_output.render(file, "small")).of_kind("NetworkPolicy")
    assert [
        rule["ports"] for policy in policies for rule in policy["spec"].get("egress", ()) if not rule.get("ports")
    ] == []


@pytest.mark.usefixtures("helm")
def test_monitoring_objects_exist_only_if_enabled(tmp_path: Path) -> None:
    kinds = ("PodMonitor", "PrometheusRule")
    assert not objects.of(chart_output.render(catalogs.small(tmp_path), "small")).of_kind(*kinds)
    enabled = catalogs.small(tmp_path, "kubernetes: {monitoring: {enabled: true}}")
    assert len(objects.of(chart_output.render(enabled, "small")).of_kind(*kinds)) == 3


_DYNAMO = "features: {store: dynamodb, table: players, region: eu-west-1}\n"


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    ("more", "model", "words"),
    [
        ("", "hpa: {behaviour: {}}", ["/versions/1/models/0/hpa", "behaviour"]),
        ("", "hpa: {cpu_percent: -60}", ["/versions/1/models/0/hpa/cpu_percent", "minimum"]),
        (
            "hpa: {metrics: [{type: ContainerResource, containerResource: {name: cpu, container: worker, "
            "target: {type: Utilization, averageUtilization: -5}}}]}",
            "",
            ["/hpa/metrics/0", "averageUtilization", "minimum"],
        ),
        ("replica: {min: 1}", "", ["replica"]),
        ("", "replicas: {min: 12}", ["versions.1.models[0].replicas: min 12 is above max 10; lower min or raise max"]),
        ("supervisor: {replicas: {min: 12}}", "", ["supervisor.replicas: min 12 is above max 10; lower min"]),
        ("", "name: Whales", ["/versions/1/models/0/name", "pattern"]),
        ("", f"name: {'w' * 60}", ["versions.1.models[0].name:", "has 68 characters", "the limit is 63; shorten"]),
        (
            "resources: {memory: null}",
            "",
            ["resources.memory: is null, and null removes the default; leave the key out"],
        ),
        ("supervisor: {image: null}", "", ["supervisor.image: is null, and null removes the default"]),
        ("engine: null", "", ["engine: is null, and null removes the default; leave the key out"]),
        ("", "engine: forest", ["/versions/1/models/0/engine"]),
        ("kubernetes: {load_s: null}", "", ["kubernetes.load_s: is null"]),
        ("", "uri: build/w.txt", ["versions.1.models[0].uri: build/w.txt is a relative path", "kubernetes.files"]),
        (
            "offers: {path: offers.csv, fallback: a}",
            "",
            ["offers.path: offers.csv is a relative path", "--set-file offers.table"],
        ),
        (
            "features: {path: players.sqlite}",
            "",
            ["features.path: players.sqlite is a relative path", "kubernetes.files"],
        ),
        ("", "resources: {memory: 1 GB}", ["/versions/1/models/0/resources/memory", "pattern"]),
    ],
)
def test_wrong_value_is_refused_with_its_path(tmp_path: Path, more: str, model: str, words: list[str]) -> None:
    file = catalogs.small(tmp_path, more, model)
    text = file.read_text(encoding="utf-8")
    key = model.partition(":")[0]
    if more.startswith("features"):  # replaces the game's own block
        file.write_text(text.replace(_DYNAMO, "", 1), encoding="utf-8")
    if key in ("name", "uri"):  # replaces the model's own key
        own = {"name": "name: whales, ", "uri": "uri: s3://m/w.txt, "}[key]
        file.write_text(text.replace(own, "", 1), encoding="utf-8")
    with pytest.raises(Misconfigured) as raised:
        chart_output.render(file, "small")
    assert [word for word in words if word not in str(raised.value)] == []
    assert "oneOf" not in str(raised.value)  # a oneOf message lists the faults of every other kind of block, too


def _by_name(file: Path) -> dict[tuple[str, str], str]:
    rendered = chart_output.render(file, "small")
    return {(one.values["kind"], one.values["metadata"]["name"]): one.text for one in rendered}


def _serving(found: catalog.Catalog, folder: Path) -> Any:
    """The part of a catalog that the supervisor uses; paths without their folder."""
    for_workers = {"image", "engine", "replicas", "resources", "signal", "in_flight", "hpa", "schedule", "pod"}
    for_cluster = {*for_workers, "supervisor", "kubernetes", "global", "enabled"}
    text = found.model_dump_json(by_alias=True).replace(str(folder), "")
    return json.loads(text, object_hook=lambda block: {k: v for k, v in block.items() if k not in for_cluster})


@pytest.mark.usefixtures("helm")
def test_reference_at_a_relative_path_needs_the_volume(tmp_path: Path) -> None:
    file = catalogs.small(tmp_path, "", "")
    text = file.read_text(encoding="utf-8").replace("{models:", "{reference: reference.json, models:", 1)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"versions\.1\.reference: reference.json is a relative path.*to S3"):
        chart_output.render(file, "small")
    file.write_text(text.replace("reference.json", "s3://m/reference.json"), encoding="utf-8")
    rendered = chart_output.render(file, "small")
    assert "reference: s3://m/reference.json" in str(rendered)
