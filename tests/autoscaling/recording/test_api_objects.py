"""Conversion of API objects; the JSON is from a cluster of Kubernetes 1.36.3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from autoscaling.recording import api_objects
from autoscaling.traces.trace_file import PodUsage, PodValue, RecordedPod

BEGIN_S = datetime(2026, 11, 25, 15, 4, 0, tzinfo=UTC).timestamp()
POD: dict[str, Any] = {
    "metadata": {"name": "burner-59cf5856bf-jbkg7", "namespace": "rec2", "creationTimestamp": "2026-11-25T15:04:13Z"},
    "spec": {
        "containers": [
            {"name": "burner", "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}}},
            {"name": "bare", "resources": {}},
        ],
        "initContainers": [
            {"name": "seed", "resources": {"requests": {"cpu": "1"}}},
            {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "0.01"}}},
        ],
    },
    "status": {
        "phase": "Running",
        "startTime": "2026-11-25T15:04:13Z",
        "conditions": [
            {"lastTransitionTime": "2026-11-25T15:04:13Z", "status": "True", "type": "PodScheduled"},
            {"lastTransitionTime": "2026-11-25T15:04:14Z", "status": "True", "type": "Ready"},
        ],
    },
}
STATUS: dict[str, Any] = {
    "currentReplicas": 1,
    "desiredReplicas": 1,
    "currentMetrics": [
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "current": {"averageValue": "8m", "averageUtilization": 40},
                "container": "burner",
            },
        }
    ],
    "conditions": [
        {
            "type": "AbleToScale",
            "status": "True",
            "lastTransitionTime": "2026-11-25T14:58:42Z",
            "reason": "ReadyForNewScale",
            "message": "recommended size matches current size",
        }
    ],
}


def test_requests_of_a_pod_include_its_sidecars_but_no_init_containers() -> None:
    assert api_objects.pods([POD], BEGIN_S) == (
        RecordedPod(
            name="burner-59cf5856bf-jbkg7",
            phase="Running",
            start_s=13.0,
            ready=True,
            ready_since_s=14.0,
            requests_m={"burner": 20, "proxy": 10},
        ),
    )


@pytest.mark.parametrize(
    ("status", "ready", "since_s"), [("True", True, 14.0), ("False", False, 14.0), ("Unknown", None, 14.0)]
)
def test_readiness_is_true_false_or_unknown(status: str, ready: bool | None, since_s: float) -> None:
    condition = {"type": "Ready", "status": status, "lastTransitionTime": "2026-11-25T15:04:14Z"}
    (pod,) = api_objects.pods([{**POD, "status": {"phase": "Running", "conditions": [condition]}}], BEGIN_S)
    assert (pod.ready, pod.ready_since_s) == (ready, since_s)


def test_pod_without_a_status_is_pending_and_has_no_ready_condition() -> None:
    metadata = {"name": "new", "deletionTimestamp": "2026-11-25T15:04:20Z"}
    (pod,) = api_objects.pods([{"metadata": metadata, "spec": {"containers": [{"name": "burner"}]}}], BEGIN_S)
    assert pod == RecordedPod(name="new", phase="Pending", deleting=True)


def usage(**cpu: str | None) -> dict[str, Any]:
    """Returns an item of metrics.k8s.io."""
    containers = [
        {"name": name, "usage": {"memory": "8976Ki"} | ({} if one is None else {"cpu": one})}
        for name, one in cpu.items()
    ]
    stamps = {"timestamp": "2026-11-25T15:04:45Z", "window": "1m0.5s"}
    return {"metadata": {"name": "-".join(cpu)}, **stamps, "containers": containers}


def test_usage_is_rounded_up_and_a_pod_with_a_container_without_cpu_is_omitted() -> None:
    found = api_objects.usages([usage(burner="7996752n"), usage(burner="5m", bare=None)], BEGIN_S)
    assert found == {"burner": PodUsage(usage_m={"burner": 8}, at_s=45.0, window_s=60.5)}


def test_default_window_of_a_custom_metric_is_one_minute() -> None:
    item = {"describedObject": {"name": "one"}, "timestamp": "2026-11-25T15:04:45Z", "value": "1500m"}
    assert api_objects.values([item, {**item, "describedObject": {"name": "two"}, "windowSeconds": 30}], BEGIN_S) == {
        "one": PodValue(value_m=1500, at_s=45.0, window_s=60.0),
        "two": PodValue(value_m=1500, at_s=45.0, window_s=30.0),
    }


def test_decision_is_read_from_a_status() -> None:
    found = api_objects.decision({}, STATUS)
    assert (found.spec_replicas, found.desired_replicas, found.rescaled, found.error) == (1, 1, False, None)
    assert found.conditions == ({"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},)
    assert found.current_metrics == tuple(STATUS["currentMetrics"])


def test_decision_is_a_rescale_only_if_the_last_scale_time_changed() -> None:
    rescaled = {
        **STATUS,
        "desiredReplicas": 3,
        "lastScaleTime": "2026-11-25T15:05:00Z",
        "conditions": [{"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"}],
    }
    assert (api_objects.decision(STATUS, rescaled).spec_replicas, api_objects.decision(STATUS, rescaled).rescaled) == (
        3,
        True,
    )
    assert api_objects.decision(rescaled, {**rescaled, "currentReplicas": 3}).rescaled is False
