"""What all metrics of an HPA come to: the most that any proposes, if enough of them can be read.

Source: horizontal.go, `computeReplicasForMetrics`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from autoscaling.engine import object_and_external, per_pod
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.metric_errors import MetricFailed, no_container, not_fetched, sentence
from autoscaling.engine.observation import Answer, Failed, LacksContainer, Sample, Seen
from autoscaling.engine.rationale import Proposal, Unknown

_FAILED_REASONS = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


class Proposed(NamedTuple):
    """`replicas` is None where nothing may be done; `reason` is ScalingActive's; `error` may be there beside both."""

    replicas: int | None
    proposals: tuple[Proposal, ...]
    winner: int | None
    reason: str
    error: str | None


def propose(hpa: Hpa, seen: Seen) -> Proposed:
    """The most that any metric proposes. A metric that fails forbids scaling down, not up."""
    proposals = tuple(
        _propose(metric, hpa, seen, answer) for metric, answer in zip(hpa.metrics, seen.answers, strict=True)
    )
    failed = [place for place, one in enumerate(proposals) if isinstance(one, Unknown)]
    replicas, winner = _most(proposals)
    if not failed:
        return Proposed(replicas, proposals, winner, "ValidMetricFound", None)
    first = cast(Unknown, proposals[failed[0]]).text
    error = f"invalid metrics ({len(failed)} invalid out of {len(proposals)}), first error is: {first}"
    if len(failed) == len(proposals) or replicas < seen.spec_replicas:
        return Proposed(None, proposals, None, _FAILED_REASONS[hpa.metrics[failed[0]].kind], error)
    return Proposed(replicas, proposals, winner, "ValidMetricFound", error)


def _most(proposals: Sequence[Proposal]) -> tuple[int, int | None]:
    replicas, winner = 0, None
    for place, one in enumerate(proposals):
        if not isinstance(one, Unknown) and (replicas == 0 or one.replicas > replicas):
            replicas, winner = one.replicas, place
    return replicas, winner


def _propose(metric: Metric, hpa: Hpa, seen: Seen, answer: Answer) -> Proposal:
    try:
        if isinstance(answer, Failed):
            raise not_fetched(metric, hpa.namespace, answer.text)
        if isinstance(answer, LacksContainer):
            raise no_container(metric, hpa.namespace, answer.pod)
        if metric.kind == "Object":
            return object_and_external.propose_for_object(metric, hpa, seen, cast(int, answer))
        if metric.kind == "External":
            return object_and_external.propose_for_external(metric, hpa, seen, cast(Sequence[int], answer))
        return per_pod.propose(metric, hpa, seen, cast(Mapping[str, Sample], answer))
    except MetricFailed as failure:
        return Unknown(sentence(metric, str(failure)))
