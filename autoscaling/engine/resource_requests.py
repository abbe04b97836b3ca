"""What pods request of a resource: what a utilization is a share of.

Source: replica_calculator.go, `calculateRequests`. Pod-level requests (KEP-2837) are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaling.engine.metric_errors import MetricFailed
from autoscaling.engine.observation import Pod


def requests_m(pods: Sequence[Pod], resource: str, container: str) -> Mapping[str, int]:
    """By pod's name, in thousandths: of `container`, or of all where it is empty; raises MetricFailed."""
    distinct = {id(pod.requests): pod for pod in pods}
    if len(distinct) == 1:
        # As in nearly every Deployment: one template, one sum.
        return dict.fromkeys([pod.name for pod in pods], _sum_m(pods[0], resource, container))
    summed = {id(pod.requests): _sum_m(pod, resource, container) for pod in distinct.values()}
    return {pod.name: summed[id(pod.requests)] for pod in pods}


def _sum_m(pod: Pod, resource: str, container: str) -> int:
    containers = pod.requests.by_resource.get(resource, {})
    if container and container not in containers:
        raise MetricFailed(f"container {container} not found in Pod {pod.name}")
    total_m = 0
    for name in (container,) if container else containers:
        request_m = containers[name]
        if request_m is None:
            raise MetricFailed(f"missing request for {resource} in container {name} of Pod {pod.name}")
        total_m += request_m
    return total_m
