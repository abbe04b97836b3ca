"""Converts JSON objects of the Kubernetes API to the types of a trace.

The API has times in whole seconds; the results are seconds since `begin_s`, an epoch time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from autoscaling.traces.trace_file import PodUsage, PodValue, RecordedMetrics, RecordedPod, TickOut
from mesh import moment
from mesh.catalog import quantities

Json = Mapping[str, Any]
_SPAN = re.compile(r"([0-9.]+)(h|ms|us|µs|ns|m|s)")
_SPANS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class TargetState(NamedTuple):
    """All objects that the controller reads, except for the HPA and `spec.replicas` of the scale."""

    status_replicas: int
    pods: tuple[RecordedPod, ...]
    metrics: RecordedMetrics


class Snapshot(NamedTuple):
    """The HPA at `at_s`, and the state of its target, which was read right after it."""

    at_s: float
    spec: Json
    status: Json
    target: TargetState


def pods(items: Iterable[Json], begin_s: float) -> tuple[RecordedPod, ...]:
    """Converts a list of pods; the result is sorted by name."""
    return tuple(sorted((_pod(one, begin_s) for one in items), key=lambda pod: pod.name))


def usages(items: Iterable[Json], begin_s: float) -> dict[str, PodUsage]:
    """Converts a response of metrics.k8s.io. As the controller does, it omits a pod with a container without CPU.

    Source: pkg/controller/podautoscaler/metrics/client.go, `getPodMetrics`
    """
    found = {}
    for one in items:
        cpu = {part["name"]: part["usage"].get("cpu") for part in one.get("containers") or ()}
        if None not in cpu.values():
            milli = {name: quantities.milli(value) for name, value in cpu.items()}
            at_s = _time(one["timestamp"], begin_s)
            found[one["metadata"]["name"]] = PodUsage(usage_m=milli, at_s=at_s, window_s=_span(one["window"]))
    return found


def values(items: Iterable[Json], begin_s: float) -> dict[str, PodValue]:
    """Converts a response of custom.metrics.k8s.io for pods; the default window is 60 s.

    Source: metrics/client.go, `GetRawMetric`
    """
    return {
        one["describedObject"]["name"]: PodValue(
            value_m=quantities.milli(one["value"]),
            at_s=_time(one["timestamp"], begin_s),
            window_s=float(one.get("windowSeconds") or 60),
        )
        for one in items
    }


def series(items: Iterable[Json]) -> tuple[int, ...]:
    """Converts a response of external.metrics.k8s.io, or of custom.metrics.k8s.io for an object."""
    return tuple(quantities.milli(one["value"]) for one in items)


def decision(before: Json, status: Json) -> TickOut:
    """Returns the decision that changed the status `before` to `status`; no status contains the error."""
    found = conditions(status)
    able = next((one for one in found if one["type"] == "AbleToScale"), {})
    rescaled = able.get("reason") == "SucceededRescale" and before.get("lastScaleTime") != status.get("lastScaleTime")
    desired = status.get("desiredReplicas", 0)
    return TickOut(
        spec_replicas=desired if rescaled else status.get("currentReplicas", 0),
        rescaled=rescaled,
        desired_replicas=desired,
        conditions=found,
        current_metrics=tuple(map(dict, status.get("currentMetrics") or ())),
    )


def conditions(status: Json) -> tuple[dict[str, str], ...]:
    """Returns type, status and reason of each condition."""
    return tuple({key: one[key] for key in ("type", "status", "reason")} for one in status.get("conditions") or ())


def _pod(pod: Json, begin_s: float) -> RecordedPod:
    status, spec = pod.get("status") or {}, pod["spec"]
    ready: Json = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), {})
    sidecars = (one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always")
    requests = {
        one["name"]: (one.get("resources") or {}).get("requests", {}).get("cpu")
        for one in (*spec["containers"], *sidecars)
    }
    return RecordedPod(
        name=pod["metadata"]["name"],
        phase=status.get("phase", "Pending"),
        start_s=_time_or_none(status.get("startTime"), begin_s),
        ready={"True": True, "False": False}.get(ready.get("status", "")),
        ready_since_s=_time_or_none(ready.get("lastTransitionTime"), begin_s),
        deleting="deletionTimestamp" in pod["metadata"],
        requests_m={name: quantities.milli(cpu) for name, cpu in requests.items() if cpu is not None},
    )


def _time_or_none(text: str | None, begin_s: float) -> float | None:
    return None if text is None else _time(text, begin_s)


def _time(text: str, begin_s: float) -> float:
    """Converts a time of the API, which always has a zone (RFC 3339); raises ValueError for another text."""
    found = moment.parse(text)
    if found is None or found.offset_s is None:
        raise ValueError(f"{text!r} is not a time of the Kubernetes API")
    return found.epoch_s - begin_s


def _span(text: str) -> float:
    """Parses a duration of Go, such as `15.2s` or `1m0s`."""
    return sum(float(amount) * _SPANS_S[unit] for amount, unit in _SPAN.findall(text))
