"""Converts the recorded ticks of a trace to observations of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.observation import (
    ApiError,
    MetricResponse,
    MissingContainer,
    Observation,
    Pod,
    ResourceRequests,
    Sample,
)
from autoscaling.traces.trace_file import PodUsage, RecordedMetrics, RecordedPod, TickIn, Trace

_API_ERROR = ApiError("down")  # a trace does not contain the text of the error
_SharedRequests = dict[tuple[tuple[str, int], ...], ResourceRequests]


def observations(trace: Trace, hpa: Hpa) -> Iterator[Observation]:
    """Yields the observation of each tick."""
    containers, shared = _containers(trace), _SharedRequests()
    for tick in trace.ticks:
        yield _observation(tick.observed, hpa, containers, shared)


def observation(tick: TickIn, hpa: Hpa) -> Observation:
    """Returns the observation of a single tick."""
    named = [name for pod in tick.pods for name in pod.requests_m]
    used = [name for one in (tick.metrics.resource or {}).values() for name in one.usage_m]
    return _observation(tick, hpa, list(dict.fromkeys((*named, *used))), _SharedRequests())


def _containers(trace: Trace) -> list[str]:
    """All containers of the pods; only the usage names a container without a request."""
    names: dict[str, None] = {}
    for tick in trace.ticks:
        for pod in tick.observed.pods:
            names |= dict.fromkeys(pod.requests_m)
        for usage in (tick.observed.metrics.resource or {}).values():
            names |= dict.fromkeys(usage.usage_m)
    return list(names)


def _observation(tick: TickIn, hpa: Hpa, containers: list[str], shared: _SharedRequests) -> Observation:
    return Observation(
        tick.t_s,
        tick.spec_replicas,
        tick.status_replicas,
        [_pod(pod, containers, shared) for pod in tick.pods],
        [_response(metric, tick.metrics) for metric in hpa.metrics],
    )


def _pod(pod: RecordedPod, containers: list[str], shared: _SharedRequests) -> Pod:
    key = tuple(pod.requests_m.items())
    if key not in shared:
        shared[key] = ResourceRequests({"cpu": {name: pod.requests_m.get(name) for name in containers}})
    return Pod(pod.name, pod.phase, pod.start_s, pod.ready, pod.ready_since_s, pod.deleting, shared[key])


def _response(metric: Metric, recorded: RecordedMetrics) -> MetricResponse:
    if metric.kind == "Object":
        return _API_ERROR if recorded.object is None else recorded.object
    if metric.kind == "External":
        return _API_ERROR if recorded.external is None else recorded.external
    if metric.kind == "Pods":
        return _API_ERROR if recorded.pods is None else _values(recorded)
    return _API_ERROR if recorded.resource is None else _usages(recorded.resource, metric.container)


def _values(recorded: RecordedMetrics) -> Mapping[str, Sample]:
    return {name: Sample(one.value_m, one.at_s, one.window_s) for name, one in (recorded.pods or {}).items()}


def _usages(resource: Mapping[str, PodUsage], container: str) -> Mapping[str, Sample] | MissingContainer:
    """Source: metrics/client.go, `getContainerMetrics` and `getPodMetrics`"""
    if not container:
        return {pod: _sample(sum(one.usage_m.values()), one) for pod, one in resource.items() if one.usage_m}
    found = {pod: _sample(one.usage_m[container], one) for pod, one in resource.items() if container in one.usage_m}
    missing = next((pod for pod in resource if pod not in found), None)
    return found if missing is None else MissingContainer(missing, found)


def _sample(value_m: int, usage: PodUsage) -> Sample:
    return Sample(value_m, usage.at_s, usage.window_s)
