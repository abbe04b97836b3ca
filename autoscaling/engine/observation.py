"""Input of one decision: the scale, its pods, and the responses of the metrics APIs.

All times are seconds on one clock. A real cluster reports whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Sample(NamedTuple):
    """The value of a metric for one pod, in thousandths: the mean over the `window_s` before `at_s`."""

    value_m: int
    at_s: float = 0.0
    window_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error response of a metrics API."""

    text: str


@dataclass(frozen=True, slots=True)
class MissingContainer:
    """The response for a ContainerResource metric if the metrics of `pod` do not have its container.

    `found`: the samples of the pods that have it.
    """

    pod: str
    found: Mapping[str, Sample] = field(default_factory=dict, hash=False)


# By kind of metric. Resource, ContainerResource, Pods: a sample by pod name. External: one value per series. Object:
# one value. All values are in thousandths; a Resource value is the sum over the pod's containers.
MetricResponse = Mapping[str, Sample] | Sequence[int] | int | ApiError | MissingContainer


@dataclass(frozen=True, slots=True)
class ResourceRequests:
    """The resource requests of a pod, in thousandths, by resource and container; None: the container has no request.

    Pods of one template should share one object, because the engine computes one sum per object.
    """

    by_resource: Mapping[str, Mapping[str, int | None]]


NO_REQUESTS = ResourceRequests({})


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that the selector of the scale matches.

    `ready_since_s` is the last transition of the Ready condition, or None if the pod has no such condition. `ready` is
    None if the status of the condition is Unknown.
    """

    name: str
    phase: str = "Running"
    start_s: float | None = None
    ready: bool | None = None
    ready_since_s: float | None = None
    deleting: bool = False
    requests: ResourceRequests = NO_REQUESTS


@dataclass(frozen=True, slots=True)
class Observation:
    """The input of one tick; `responses` are in the order of the HPA's metrics."""

    now_s: float
    spec_replicas: int
    status_replicas: int
    pods: Sequence[Pod]
    responses: Sequence[MetricResponse]
