"""What the controller sees at one tick: the scale, its pods, and what the metrics APIs answer.

Times are seconds on any clock that all of them share. A cluster's are whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Sample(NamedTuple):
    """One pod's value of a metric, in thousandths: the mean over the `window_s` before `at_s`."""

    value_m: int
    at_s: float = 0.0
    window_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer of a metrics API that gave none; `text` is what it said."""

    text: str


@dataclass(frozen=True, slots=True)
class LacksContainer:
    """The answer for a ContainerResource where the metrics of `pod` do not have its container."""

    pod: str


# By kind of metric: by pod's name for Resource, ContainerResource and Pods; one value per series for External; one
# value for Object. All in thousandths; for a Resource already summed over the pod's containers.
Answer = Mapping[str, Sample] | Sequence[int] | int | Failed | LacksContainer


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod's containers ask for, in thousandths, by resource and container; None: no request.

    Pods of one template should share one object: it is summed once per object.
    """

    by_resource: Mapping[str, Mapping[str, int | None]]


NO_REQUESTS = Requests({})


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that the scale's selector selects.

    `ready_since_s` is the Ready condition's last transition, None where there is no condition; `ready` is None where
    its status is Unknown.
    """

    name: str
    phase: str = "Running"
    start_s: float | None = None
    ready: bool | None = None
    ready_since_s: float | None = None
    deleting: bool = False
    requests: Requests = NO_REQUESTS


@dataclass(frozen=True, slots=True)
class Seen:
    """One tick's view; `answers` are in the order of the HPA's metrics."""

    now_s: float
    spec_replicas: int
    status_replicas: int
    pods: Sequence[Pod]
    answers: Sequence[Answer]
