"""Combines the proposals of all metrics of an HPA: the highest wins.

Source: horizontal.go, `computeReplicasForMetrics`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from autoscaling.engine import object_and_external, per_pod
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.metric_errors import (
    MetricError,
    container_missing,
    fetch_failed,
    no_metrics_returned,
    status_message,
)
from autoscaling.engine.observation import ApiError, MetricResponse, MissingContainer, Observation, Sample
from autoscaling.engine.rationale import NoProposal, Proposal
from autoscaling.engine.versions import MISSING_CONTAINER_IS_A_MISSING_POD

_FAILED_REASONS = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


class CombinedProposal(NamedTuple):
    """The result of all metrics.

    `replicas` is None if the failed metrics forbid a change. `reason` is the reason of the condition ScalingActive.
    `error` is set if any metric failed, also beside `replicas`.
    """

    replicas: int | None
    proposals: tuple[Proposal, ...]
    winner: int | None
    reason: str
    error: str | None


def propose(hpa: Hpa, observed: Observation) -> CombinedProposal:
    """Returns the highest proposal of all metrics. A failed metric forbids scaling down, but not up."""
    proposals = tuple(
        _propose(metric, hpa, observed, response)
        for metric, response in zip(hpa.metrics, observed.responses, strict=True)
    )
    failed = [place for place, one in enumerate(proposals) if isinstance(one, NoProposal)]
    replicas, winner = _highest(proposals)
    if not failed:
        return CombinedProposal(replicas, proposals, winner, "ValidMetricFound", None)
    first = cast(NoProposal, proposals[failed[0]]).text
    error = f"invalid metrics ({len(failed)} invalid out of {len(proposals)}), first error is: {first}"
    if len(failed) == len(proposals) or replicas < observed.spec_replicas:
        return CombinedProposal(None, proposals, None, _FAILED_REASONS[hpa.metrics[failed[0]].kind], error)
    return CombinedProposal(replicas, proposals, winner, "ValidMetricFound", error)


def _highest(proposals: Sequence[Proposal]) -> tuple[int, int | None]:
    replicas, winner = 0, None
    for place, one in enumerate(proposals):
        if not isinstance(one, NoProposal) and (replicas == 0 or one.replicas > replicas):
            replicas, winner = one.replicas, place
    return replicas, winner


def _propose(metric: Metric, hpa: Hpa, observed: Observation, response: MetricResponse) -> Proposal:
    try:
        if isinstance(response, ApiError):
            raise fetch_failed(metric, hpa.namespace, response.text)
        if isinstance(response, MissingContainer):
            if not hpa.version.has(MISSING_CONTAINER_IS_A_MISSING_POD):
                raise container_missing(metric, hpa.namespace, response.pod)
            return per_pod.propose(metric, hpa, observed, response.found)
        if metric.kind == "Object":
            return object_and_external.propose_for_object(metric, hpa, observed, cast(int, response))
        if metric.kind == "External":
            return object_and_external.propose_for_external(metric, hpa, observed, cast(Sequence[int], response))
        if not response:
            raise no_metrics_returned(metric, hpa.namespace)
        return per_pod.propose(metric, hpa, observed, cast(Mapping[str, Sample], response))
    except MetricError as error:
        return NoProposal(status_message(metric, str(error)))
