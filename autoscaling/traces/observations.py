"""Recorded ticks as the engine sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from autoscaling import spec
from autoscaling.engine.hpa import Flags, Hpa, Metric
from autoscaling.engine.observation import Answer, Failed, LacksContainer, Pod, Requests, Sample, Seen
from autoscaling.engine.versions import Version
from autoscaling.traces.trace_file import Answers, RecordedPod, TickIn, Trace, Usage
from mesh.errors import Misconfigured

_FAILED = Failed("down")  # what the API said is not in a trace
_Shared = dict[tuple[tuple[str, int], ...], Requests]


def rules(trace: Trace, version: Version, file: Path) -> Hpa:
    """The HPA of `trace`; raises Misconfigured where it is none, or asks for what a trace does not hold."""
    flags = Flags(**trace.controller.model_dump())
    hpa = spec.read(trace.spec, flags=flags, version=version, namespace=trace.namespace, place=f"{file}: spec")
    for place, metric in enumerate(hpa.metrics):
        if metric.kind in ("Resource", "ContainerResource") and metric.name != "cpu":
            raise Misconfigured(
                [f"{file}: spec.metrics[{place}]: a trace holds the usage of cpu, not of {metric.name}"]
            )
    return hpa


def sights(trace: Trace, hpa: Hpa) -> Iterator[Seen]:
    """What was seen, tick by tick."""
    containers, shared = _containers(trace), _Shared()
    for tick in trace.ticks:
        yield _seen(tick.seen, hpa, containers, shared)


def sight(tick: TickIn, hpa: Hpa) -> Seen:
    """What was seen at one tick, by itself."""
    named = [name for pod in tick.pods for name in pod.requests_m]
    used = [name for one in (tick.metrics.resource or {}).values() for name in one.usage_m]
    return _seen(tick, hpa, list(dict.fromkeys((*named, *used))), _Shared())


def _containers(trace: Trace) -> list[str]:
    """All that the pods have: one without a request is known only by its usage."""
    names: dict[str, None] = {}
    for tick in trace.ticks:
        for pod in tick.seen.pods:
            names |= dict.fromkeys(pod.requests_m)
        for usage in (tick.seen.metrics.resource or {}).values():
            names |= dict.fromkeys(usage.usage_m)
    return list(names)


def _seen(tick: TickIn, hpa: Hpa, containers: list[str], shared: _Shared) -> Seen:
    return Seen(
        tick.t_s,
        tick.spec_replicas,
        tick.status_replicas,
        [_pod(pod, containers, shared) for pod in tick.pods],
        [_answer(metric, tick.metrics) for metric in hpa.metrics],
    )


def _pod(pod: RecordedPod, containers: list[str], shared: _Shared) -> Pod:
    key = tuple(pod.requests_m.items())
    if key not in shared:
        shared[key] = Requests({"cpu": {name: pod.requests_m.get(name) for name in containers}})
    return Pod(pod.name, pod.phase, pod.start_s, pod.ready, pod.ready_since_s, pod.deleting, shared[key])


def _answer(metric: Metric, answers: Answers) -> Answer:
    if metric.kind == "Object":
        return _FAILED if answers.object is None else answers.object
    if metric.kind == "External":
        return _FAILED if answers.external is None else answers.external
    if metric.kind == "Pods":
        return _FAILED if answers.pods is None else _values(answers)
    return _FAILED if answers.resource is None else _usages(answers.resource, metric.container)


def _values(answers: Answers) -> Mapping[str, Sample]:
    return {name: Sample(one.value_m, one.at_s, one.window_s) for name, one in (answers.pods or {}).items()}


def _usages(resource: Mapping[str, Usage], container: str) -> Mapping[str, Sample] | LacksContainer:
    """Source: metrics/client.go, `getContainerMetrics` and `getPodMetrics`"""
    if not container:
        return {pod: _sample(sum(one.usage_m.values()), one) for pod, one in resource.items() if one.usage_m}
    for pod, one in resource.items():
        if container not in one.usage_m:
            return LacksContainer(pod)
    return {pod: _sample(one.usage_m[container], one) for pod, one in resource.items()}


def _sample(value_m: int, usage: Usage) -> Sample:
    return Sample(value_m, usage.at_s, usage.window_s)
