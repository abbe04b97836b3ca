"""Resource requests of pods; a utilization is relative to them.

Source: replica_calculator.go, `calculateRequests`. Pod-level requests (KEP-2837) are not supported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaling.engine.metric_errors import MetricError
from autoscaling.engine.observation import Pod


def requests_m(pods: Sequence[Pod], resource: str, container: str) -> Mapping[str, int]:
    """Returns the request of each pod by name, in thousandths; raises MetricError.

    Only `container` counts, or all containers if `container` is empty.
    """
    distinct = {id(pod.requests): pod for pod in pods}
    if len(distinct) == 1:
        # The usual case: all pods of a Deployment have one template, and therefore one sum.
        return dict.fromkeys([pod.name for pod in pods], _sum_m(pods[0], resource, container))
    summed = {id(pod.requests): _sum_m(pod, resource, container) for pod in distinct.values()}
    return {pod.name: summed[id(pod.requests)] for pod in pods}


def _sum_m(pod: Pod, resource: str, container: str) -> int:
    containers = pod.requests.by_resource.get(resource, {})
    if container and container not in containers:
        raise MetricError(f"container {container} not found in Pod {pod.name}")
    total_m = 0
    for name in (container,) if container else containers:
        request_m = containers[name]
        if request_m is None:
            raise MetricError(f"missing request for {resource} in container {name} of Pod {pod.name}")
        total_m += request_m
    return total_m
