"""Records the cluster's HPA controller under a changing load and compares it with the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoscaling.traces import trace_file
from autoscaling.traces.replay import compared_fields, differences
from autoscaling.traces.trace_hpa import hpa_of, version_of
from mesh import __version__
from tests.cluster.kubectl import Cluster, Namespace

MINUTES = 4
TICKS = 12  # one every 15 s, without the first
NAME = "burner"
# Uses 45 thousandths of a core for the first 80 s, then 6.
BURNS = """
import time
begin = time.monotonic()
while True:
    at = time.monotonic()
    end = time.thread_time() + (0.0045 if at - begin < 80 else 0.0006)
    while time.thread_time() < end:
        pass
    time.sleep(max(0, at + 0.1 - time.monotonic()))
"""
_CONTAINER = {
    "name": NAME,
    "image": f"ensemble-mesh/model-worker:{__version__}",
    "command": ["python", "-c", BURNS],
    "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
_POD = {
    "containers": [_CONTAINER],
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "terminationGracePeriodSeconds": 1,
}
_CPU = {"name": "cpu", "container": NAME, "target": {"type": "Utilization", "averageUtilization": 60}}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": NAME},
    "spec": {
        "selector": {"matchLabels": {"app": NAME}},
        "template": {"metadata": {"labels": {"app": NAME}}, "spec": _POD},
    },
}
SCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": NAME},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"type": "ContainerResource", "containerResource": _CPU}],
        "behavior": {
            "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]},
            "scaleDown": {
                "stabilizationWindowSeconds": 30,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}],
            },
        },
    },
}


@pytest.mark.timeout(60 * MINUTES + 120)
def test_engine_decides_as_the_recorded_controller(running_pods: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    """Ticks of which the recording is in doubt may differ."""
    for one in (DEPLOYMENT, SCALER):
        namespace.run("apply", "-f", "-", given=json.dumps(one))
    out = tmp_path / "burner.json.gz"
    record(running_pods, namespace, out)
    trace = trace_file.load(out)
    hpa = hpa_of(trace, version_of(trace, out, None), out)
    found = list(differences(trace, hpa))
    doubts = sum(tick.doubt is not None for tick in trace.ticks)
    rescales = [tick.observed.spec_replicas - tick.out.spec_replicas for tick in trace.ticks if tick.out.rescaled]
    print(f"\n{len(trace.ticks)} ticks, {doubts} in doubt, {len(rescales)} rescales, {len(found)} differences: {found}")
    assert trace.compared_from_s is None
    assert compared_fields(trace) == ["spec_replicas", "rescaled", "desired_replicas", "conditions", "current_metrics"]
    assert len(trace.ticks) >= TICKS
    assert min(rescales) < 0 < max(rescales)
    assert [one for one in found if one.doubt is None] == []


def record(cluster: Cluster, namespace: Namespace, out: Path) -> None:
    """Records the HPA as an operator would."""
    command = [sys.executable, "-m", "mesh.cli.main", "hpa", "record", NAME, "--namespace", namespace.name]
    reach = ["--kubeconfig", str(cluster.kubeconfig), "--kubectl", cluster.program]
    options = ["--minutes", str(MINUTES), "--out", str(out)]
    subprocess.run([*command, *reach, *options], check=True, timeout=60 * MINUTES + 60)
