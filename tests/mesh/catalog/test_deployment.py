"""Deployment settings of a catalog: their faults, each with its place and the fix, and the effective values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mesh.catalog import catalog
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.errors import Misconfigured

GAME = """\
game: dragonfall
features: {path: players.sqlite}
versions:
  "1":
    models:
      - {name: whales, uri: s3://models/whales.txt}
      - {name: minnows, uri: s3://models/minnows.txt}
"""
WHALES = "name: whales, "
AT = "6: versions.1.models[0]"


def read(file: Path, text: str) -> Catalog:
    file.write_text(text, encoding="utf-8")
    return catalog.load(file)


def scalers(file: Path, text: str) -> dict[str, Autoscaler]:
    return {scaler.name: scaler for scaler in autoscalers(read(file, text))}


def with_whales(*more: str) -> str:
    return GAME.replace(WHALES, WHALES + "".join(f"{one}, " for one in more))


def cpu_metric(target: str, container: str = "worker") -> str:
    resource = f"{{name: cpu, container: {container}, target: {target}}}"
    return f"hpa: {{metrics: [{{type: ContainerResource, containerResource: {resource}}}]}}"


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("hpa: {behaviour: {}}", f"{AT}.hpa.behaviour: unknown key; did you mean 'behavior'?"),
        (
            "hpa: {behavior: {scaleDown: {stabilisationWindowSeconds: 60}}}",
            f"{AT}.hpa.behavior.scaleDown.stabilisationWindowSeconds: unknown key; "
            "did you mean 'stabilizationWindowSeconds'?",
        ),
        ("hpa: {cpu_percent: -60}", f"{AT}.hpa.cpu_percent: -60 is wrong; it should be greater than or equal to 1"),
        (
            cpu_metric("{type: Utilization, averageUtilization: -1}"),
            f"{AT}.hpa.metrics[0].containerResource.target.averageUtilization: -1 is wrong; "
            "it should be greater than or equal to 1",
        ),
        (
            cpu_metric("{type: AverageValue, averageValue: -300m}"),
            f"{AT}.hpa.metrics[0].containerResource.target.averageValue: '-300m' is not a quantity above 0; "
            "give a number, with or without a suffix, such as 500m, 20 or 256Mi",
        ),
        (
            cpu_metric("{type: Utilization, averageUtilization: 60}", "wroker"),
            f"{AT}.hpa.metrics[0].containerResource.container: the pods have no container 'wroker'; use worker",
        ),
        (
            "hpa: {metrics: [{type: Pod}]}",
            f"{AT}.hpa.metrics[0].type: 'Pod' is wrong; "
            "it should be 'Resource', 'ContainerResource', 'Pods', 'External', 'Object'",
        ),
        ("hpa: {metrics: []}", f"{AT}.hpa.metrics: is empty; add at least one"),
        (
            "hpa: {behavior: {scaleUp: {policies: [{type: Pods, value: 4, periodSeconds: 1801}]}}}",
            f"{AT}.hpa.behavior.scaleUp.policies[0].periodSeconds: 1801 is wrong; "
            "it should be less than or equal to 1800",
        ),
        (
            "replicas: {min: 11}",
            f"{AT}.replicas: min 11 is above max 10; lower min or raise max "
            "(a value that is not set here comes from the version, the game or the default)",
        ),
        ("replicas: {min: 0}", f"{AT}.replicas.min: 0 is wrong; it should be greater than or equal to 1"),
        (
            "signal: in_flight, hpa: {metrics: [{type: Pods, pods: "
            "{metric: {name: x}, target: {type: AverageValue, averageValue: 1}}}]}",
            f"{AT}.hpa.metrics: metrics are set, but `signal: in_flight` defines the metrics; "
            "remove one of the two settings from the model or the game",
        ),
        (
            "resources: {memory: 256 MB}",
            f"{AT}.resources.memory: '256 MB' is not a quantity above 0; "
            "give a number, with or without a suffix, such as 500m, 20 or 256Mi",
        ),
        (
            "resources: {cpu: 1.5, cpu_limit: 800m}",
            f"{AT}.resources: cpu 1.5 is above cpu_limit 800m; lower cpu or raise cpu_limit "
            "(a value that is not set here comes from the version, the game or the default)",
        ),
        *(
            (
                f"resources: {{{name}: {text}}}",
                f"{AT}.resources.{name}: {text} is a valid quantity, but not a sensible one: it is not between "
                f"{bounds}; "
                f"correct the number or its suffix ({hint})",
            )
            for name, text, bounds, hint in (
                ("memory", "1m", "32Mi and 32Ti", "the unit is a byte; 256Mi is usual"),
                ("memory", "256", "32Mi and 32Ti", "the unit is a byte; 256Mi is usual"),
                ("cpu", "1Gi", "1m and 1024", "1 is a core, and 500m is half a core"),
                ("cpu_limit", "2M", "1m and 1024", "1 is a core, and 500m is half a core"),
                ("ephemeral_storage", "1m", "1Mi and 64Ti", "the unit is a byte; 1Gi is usual"),
            )
        ),
        (
            "hpa: {cpu_percent: 2147483648}",
            f"{AT}.hpa.cpu_percent: 2147483648 is wrong; it should be less than or equal to 2147483647",
        ),
        ("engine: forest", f"{AT}.engine: 'forest' is wrong; it should be 'auto' or 'lightgbm'"),
        (
            "image: 'our worker'",
            f"{AT}.image: 'our worker' is not an image name; give REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST",
        ),
    ],
)
def test_fault_in_the_scaling_of_a_model_is_one_line(file: Path, more: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, with_whales(more))
    assert raised.value.faults == [f"{file}:{fault}"]


@pytest.mark.parametrize(
    ("game", "at"),
    [
        ("replicas: {min: 20}", "replicas: min 20 is above max 10; "),
        (
            cpu_metric("{type: Utilization, averageUtilization: 60}", "wroker"),
            "hpa.metrics[0].containerResource.container: ",
        ),
        ("resources: {cpu_limit: 0.25}", "resources: cpu 500m is above cpu_limit 0.25; "),
    ],
)
def test_fault_of_the_whole_game_is_reported_once_at_the_game(file: Path, game: str, at: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, f"{GAME}{game}\n")
    (fault,) = raised.value.faults
    assert fault.startswith(f"{file}:8: {at}")


def test_signal_of_a_model_that_contradicts_the_metrics_of_the_game_is_a_fault(file: Path) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, with_whales("signal: in_flight") + cpu_metric("{type: Utilization, averageUtilization: 60}") + "\n")
    (fault,) = raised.value.faults
    assert fault.startswith(f"{file}:{AT}.signal: metrics are set, but `signal: in_flight` defines the metrics; ")


@pytest.mark.parametrize(("written", "read_as"), [("1234567", "1234567"), ("0.00001", "1e-05"), ("24.0", "24")])
def test_quantity_keeps_the_number_in_the_file(file: Path, written: str, read_as: str) -> None:
    whales = scalers(file, with_whales(f"signal: in_flight, in_flight: {{rows: {written}}}"))["dragonfall-1-whales"]
    assert whales.spec["metrics"][0]["external"]["target"]["averageValue"] == read_as


def test_name_that_helm_reads_as_a_boolean_needs_quotes(file: Path) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME.replace("whales,", "y,", 1))
    assert raised.value.faults == [f"{file}:{AT}.name: True is not text; put it in quotes"]
    assert read(file, GAME.replace("whales,", '"y",', 1)).versions["1"].models[0].name == "y"


def test_number_with_an_exponent_and_no_dot_is_a_number_as_in_helm(file: Path) -> None:
    assert read(file, with_whales("weight: 1e-05")).versions["1"].models[0].weight == 0.00001
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME.replace("whales,", "1e3,", 1))
    assert raised.value.faults == [f"{file}:{AT}.name: 1000.0 is not text; put it in quotes"]


def test_too_long_kubernetes_name_is_reported_with_its_length(file: Path) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME.replace("whales,", f"{'w' * 51},", 1))
    name = f"dragonfall-1-{'w' * 51}"
    assert raised.value.faults == [
        f"{file}:{AT}.name: the Kubernetes name {name!r} has 64 characters, but the limit is 63; "
        "shorten the name of the game, the version or the model"
    ]


def test_too_long_name_of_the_supervisor_is_a_fault_of_the_game(file: Path) -> None:
    game = "g" * 53
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME.replace("dragonfall", game).replace("whales", "w").replace("minnows", "m"))
    (fault,) = raised.value.faults
    assert fault.startswith(f"{file}:1: game: the Kubernetes name '{game}-supervisor' has 64 characters")


def test_two_models_with_the_same_kubernetes_name_are_a_fault(file: Path) -> None:
    other = '  "1-big":\n    traffic: 0\n    models: [{name: whales, uri: s3://m/w.txt}]\n'
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME.replace("name: whales", "name: big-whales") + other)
    assert raised.value.faults == [
        f"{file}:10: versions.1-big.models[0].name: the Kubernetes name 'dragonfall-1-big-whales' is also that of "
        "a model of another version; rename the version or the model"
    ]


def test_min_above_max_of_the_supervisor_is_a_fault(file: Path) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(file, GAME + "supervisor: {replicas: {min: 3, max: 2}}\n")
    (fault,) = raised.value.faults
    assert fault.startswith(f"{file}:8: supervisor.replicas: min 3 is above max 2; ")


def test_default_cpu_target_is_60_percent_for_models_and_65_for_the_supervisor(file: Path) -> None:
    found = scalers(file, GAME)
    assert list(found) == ["dragonfall-supervisor", "dragonfall-1-whales", "dragonfall-1-minnows"]
    assert [_utilization(scaler) for scaler in found.values()] == [("supervisor", 65), ("worker", 60), ("worker", 60)]


def test_model_overrides_its_version_and_version_overrides_the_game(file: Path) -> None:
    text = with_whales("replicas: {min: 4}, hpa: {cpu_percent: 50}").replace(
        "models:", "replicas: {max: 40}\n    models:"
    )
    found = scalers(file, text + "replicas: {min: 3, max: 30}\nhpa: {cpu_percent: 70}\n")
    whales, minnows = (found[f"dragonfall-1-{name}"] for name in ("whales", "minnows"))
    assert (whales.spec["minReplicas"], whales.spec["maxReplicas"], _utilization(whales)) == (4, 40, ("worker", 50))
    assert (minnows.spec["minReplicas"], minnows.spec["maxReplicas"], _utilization(minnows)) == (3, 40, ("worker", 70))


def test_one_window_of_a_behavior_can_be_changed_alone(file: Path) -> None:
    found = scalers(file, with_whales("hpa: {behavior: {scaleDown: {stabilizationWindowSeconds: 900}}}"))
    whales, minnows = (found[f"dragonfall-1-{name}"].spec["behavior"] for name in ("whales", "minnows"))
    assert whales == {**minnows, "scaleDown": {**minnows["scaleDown"], "stabilizationWindowSeconds": 900}}


def test_window_of_zero_overrides_another(file: Path) -> None:
    text = with_whales("hpa: {behavior: {scaleUp: {stabilizationWindowSeconds: 0}}}")
    found = scalers(file, text + "hpa: {behavior: {scaleUp: {stabilizationWindowSeconds: 60}}}\n")
    windows = [found[f"dragonfall-1-{name}"].spec["behavior"]["scaleUp"] for name in ("whales", "minnows")]
    assert [window["stabilizationWindowSeconds"] for window in windows] == [0, 60]


def test_list_of_policies_replaces_the_default_list(file: Path) -> None:
    policies = "policies: [{type: Pods, value: 1, periodSeconds: 60}]"
    found = scalers(file, with_whales(f"hpa: {{behavior: {{scaleUp: {{{policies}}}}}}}"))
    rules = found["dragonfall-1-whales"].spec["behavior"]["scaleUp"]
    assert rules["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    assert rules["selectPolicy"] == "Max"


def test_rows_in_flight_are_an_external_metric_of_the_model(file: Path) -> None:
    spec = scalers(file, with_whales("signal: in_flight, in_flight: {rows: 24}"))["dragonfall-1-whales"].spec
    (metric,) = spec["metrics"]
    assert metric["external"] == {
        "metric": {
            "name": "mesh_rows_in_flight",
            "selector": {"matchLabels": {"game": "dragonfall", "version": "1", "model": "whales"}},
        },
        "target": {"type": "AverageValue", "averageValue": "24"},
    }


def test_keda_creates_the_hpa_if_it_is_configured(file: Path) -> None:
    keda = "in_flight: {keda: {prometheus: 'http://prometheus:9090'}}"
    found = scalers(file, with_whales(f"signal: in_flight, {keda}"))
    assert [scaler.kind for scaler in found.values()] == [
        "HorizontalPodAutoscaler",
        "ScaledObject",
        "HorizontalPodAutoscaler",
    ]


def _utilization(scaler: Autoscaler) -> tuple[str, int]:
    (metric,) = scaler.spec["metrics"]
    resource: dict[str, Any] = metric["containerResource"]
    return resource["container"], resource["target"]["averageUtilization"]
