"""The recorder with a fake API and a fake clock."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaling.recording.kubectl_proxy import RequestFailed
from autoscaling.recording.recorder import MAX_OUTAGE_S, Recorder, find_hpa

HPA = "/apis/autoscaling/v2/namespaces/game/horizontalpodautoscalers/whales"
CONDITION = {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}
TARGET = {"type": "Utilization", "averageUtilization": 50}
SPEC = {
    "scaleTargetRef": {"kind": "Deployment", "name": "whales", "apiVersion": "apps/v1"},
    "maxReplicas": 6,
    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": TARGET}}],
}
OBJECTS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.36.3"},
    "/apis/apps/v1": {"resources": [{"kind": "Deployment", "name": "deployments"}]},
    "/apis/apps/v1/namespaces/game/deployments/whales/scale": {"status": {"replicas": 1, "selector": "app=whales"}},
    "/api/v1/namespaces/game/pods": {"items": []},
    "/apis/metrics.k8s.io/v1beta1": {},
    "/apis/metrics.k8s.io/v1beta1/namespaces/game/pods": {"items": []},
}


class Cluster:
    """An API whose HPA status changes every 15 s until it fails at `fails_at_s`; also the clock."""

    def __init__(self, fails_at_s: float = math.inf) -> None:
        self.now_s = 1000.0
        self.fails_at_s = 1000.0 + fails_at_s
        self.interrupted_at_s = math.inf

    def get(self, path: str) -> dict[str, Any]:
        if self.now_s >= self.fails_at_s:
            raise RequestFailed(503, "down")
        if path == HPA:
            status = {"currentReplicas": 1, "desiredReplicas": 1, "number": self.now_s // 15, "conditions": [CONDITION]}
            return {"spec": SPEC, "status": status}
        found: dict[str, Any] = OBJECTS[path.partition("?")[0]]
        return found

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s >= self.interrupted_at_s:
            raise KeyboardInterrupt


def recorder(cluster: Cluster, reports: list[str]) -> Recorder:
    hpa = find_hpa(cluster.get, "game", "whales", {})
    return Recorder(cluster.get, hpa, reports.append, cluster.clock, cluster.sleep)


def test_recording_ends_after_the_given_minutes() -> None:
    cluster = Cluster()
    assert len(list(recorder(cluster, []).run(minutes=2))) == 8
    assert cluster.now_s == 1000 + 120


def test_recording_ends_after_the_longest_allowed_outage() -> None:
    cluster, reports = Cluster(fails_at_s=40), list[str]()
    assert len(list(recorder(cluster, reports).run(minutes=None))) == 3
    assert reports == ["snapshot failed: down", f"recording ends: no snapshot for {MAX_OUTAGE_S:g} s: down"]
    assert MAX_OUTAGE_S < cluster.now_s - 1040 < MAX_OUTAGE_S + 1


def test_ticks_are_kept_if_the_recording_is_interrupted() -> None:
    cluster = Cluster()
    interrupted = recorder(cluster, [])
    cluster.interrupted_at_s = cluster.now_s + 25
    with pytest.raises(KeyboardInterrupt):
        list(interrupted.run(minutes=None))
    assert len(interrupted.trace().ticks) == 2
