"""Reading a spec: the defaults of the API, and faults that the API server refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoscaling import spec
from autoscaling.engine.hpa import Flags, Metric, Policy
from mesh.catalog import catalog as catalogs
from mesh.catalog.deployment.autoscalers import autoscalers
from mesh.errors import Misconfigured
from tests.autoscaling.builders import cpu, external

EXAMPLE = Path(__file__).parents[2] / "examples" / "dragonfall" / "mesh.yaml"


def test_default_is_80_percent_of_cpu_and_min_replicas_1() -> None:
    given: list[dict[str, Any]] = [{}, {"metrics": []}, {"metrics": None}]
    for metrics in given:
        found = spec.read({"maxReplicas": 5, **metrics})
        assert (found.min_replicas, found.metrics) == (1, (Metric("Resource", "cpu", "Utilization", 80),))


def test_defaults_of_a_behavior_apply_only_if_there_is_a_behavior() -> None:
    assert spec.read({"maxReplicas": 5}).behavior is None
    given: list[dict[str, Any]] = [{}, {"scaleUp": {}}, {"scaleDown": None}]
    for behavior in given:
        found = spec.read({"maxReplicas": 5, "behavior": behavior}).behavior
        assert found is not None
        assert (found.up.window_s, found.up.select) == (0, "Max")
        assert found.up.policies == (Policy("Pods", 4, 15), Policy("Percent", 100, 15))
        assert (found.down.window_s, found.down.policies) == (300, (Policy("Percent", 100, 15),))


def test_default_scale_down_window_is_that_of_the_controller() -> None:
    flags = Flags(downscale_stabilization_s=120.0)
    found = spec.read({"maxReplicas": 5, "behavior": {}}, flags=flags).behavior
    own = spec.read({"maxReplicas": 5, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}).behavior
    assert found is not None
    assert own is not None
    assert (found.down.window_s, own.down.window_s) == (120, 0)


def test_list_of_policies_replaces_all_default_policies() -> None:
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    found = spec.read({"maxReplicas": 5, "behavior": behavior}).behavior
    assert found is not None
    assert found.up.policies == (Policy("Pods", 1, 60),)


def test_quantities_are_converted_to_thousandths() -> None:
    metrics = [external(averageValue="500m"), external(value="1Gi"), external(value="20")]
    found = spec.read({"maxReplicas": 5, "metrics": metrics})
    assert [metric.amount for metric in found.metrics] == [500, 2**30 * 1000, 20_000]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "spec.maxReplicas: field required"),
        ({"minReplicas": 6, "maxReplicas": 5}, "spec.maxReplicas: 5 is below minReplicas, 6"),
        ({"maxReplicas": 0}, "spec.maxReplicas: input should be greater than or equal to 1"),
        ({"maxReplicas": 5, "metrics": [cpu(0)]}, "spec.metrics[0].resource.target.averageUtilization: "),
        ({"maxReplicas": 5, "metrics": [external(value="-1")]}, "spec.metrics[0].external.target.value: "),
        ({"maxReplicas": 5, "metrics": [{"type": "Cpu"}]}, "spec.metrics[0]: "),
        ({"maxReplicas": 5, "behavior": {"scaleUp": {"policies": []}}}, "spec.behavior.scaleUp.policies: "),
        ({"maxReplicas": 5, "behaviour": {}}, "spec.behaviour: "),
    ],
)
def test_fault_is_reported_with_its_path(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        spec.read(given)
    assert [line.startswith(fault) for line in refused.value.faults] == [True]


def test_all_hpas_of_the_example_can_be_read() -> None:
    catalog = catalogs.load(EXAMPLE)
    found = [spec.read(one.spec) for one in autoscalers(catalog) if one.kind == "HorizontalPodAutoscaler"]
    assert len(found) > 1
