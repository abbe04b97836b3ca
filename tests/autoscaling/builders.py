"""Builders for HPAs, pods and observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaling import spec as specs
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.observation import MetricResponse, Observation, Pod, ResourceRequests, Sample
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import INITIAL_STATE, State
from autoscaling.engine.versions import DEFAULT, Version

LONG_AGO_S = -10_000.0


def cpu(percent: int = 50) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def cpu_usage(average: str) -> dict[str, Any]:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": average}},
    }


def worker_cpu(percent: int = 50) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "worker", "target": target}}


def custom(average: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": average}
    return {"type": "Pods", "pods": {"metric": {"name": "rows"}, "target": target}}


def external(**target: str) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "queue"}, "target": _sum_target(target)}}


def on_object(**target: str) -> dict[str, Any]:
    described = {"kind": "Service", "name": "offers"}
    source = {"describedObject": described, "metric": {"name": "requests"}, "target": _sum_target(target)}
    return {"type": "Object", "object": source}


def _sum_target(target: Mapping[str, str]) -> dict[str, str]:
    return {"type": "Value" if "value" in target else "AverageValue", **target}


def hpa(*metrics: dict[str, Any], version: Version = DEFAULT, **fields: Any) -> Hpa:
    given = {"minReplicas": 1, "maxReplicas": 100, "metrics": list(metrics), **fields}
    return specs.read(given, version=version, namespace="game")


def requests(**by_container: int | None) -> ResourceRequests:
    return ResourceRequests({"cpu": by_container or {"worker": 1000}})


def pods(count: int, **fields: Any) -> list[Pod]:
    """Returns `count` pods that have been ready for a long time; each requests one core."""
    settled = {"start_s": LONG_AGO_S, "ready": True, "ready_since_s": LONG_AGO_S, "requests": requests()}
    return [Pod(f"pod-{number}", **{**settled, **fields}) for number in range(count)]


def samples(*values_m: int, at_s: float = 0.0, window_s: float = 15.0) -> dict[str, Sample]:
    return {f"pod-{number}": Sample(value_m, at_s, window_s) for number, value_m in enumerate(values_m)}


def observed(
    replicas: int,
    *answers: MetricResponse,
    now_s: float = 0.0,
    of: Sequence[Pod] | None = None,
    status: int | None = None,
) -> Observation:
    found = pods(replicas) if of is None else of
    return Observation(now_s, replicas, replicas if status is None else status, found, answers)


def decide(hpa: Hpa, observed: Observation, state: State = INITIAL_STATE) -> Decision:
    return reconcile(hpa, state, observed)


def proposed(hpa: Hpa, observed: Observation) -> int:
    """Returns the proposal of the first metric, before stabilisation and limits."""
    proposal: Any = decide(hpa, observed).rationale.proposals[0]
    return int(proposal.replicas)
