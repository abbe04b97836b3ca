"""`status.currentMetrics` of an HPA, in the format of Kubernetes.

Source: horizontal.go, `computeStatusFor...Metric`
"""

from __future__ import annotations

from typing import Any

from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.rationale import AverageValueProposal, NoProposal, PerPodProposal, Proposal, Rationale
from mesh.catalog import quantities


def current_metrics(hpa: Hpa, rationale: Rationale) -> list[dict[str, Any]]:
    """Returns `status.currentMetrics` of one decision; the entry of a failed metric is empty."""
    return [_status(*both) for both in zip(hpa.metrics, rationale.proposals, strict=False)]


def _status(metric: Metric, proposal: Proposal) -> dict[str, Any]:
    if isinstance(proposal, NoProposal):
        return {"type": ""}
    name = metric.kind[0].lower() + metric.kind[1:]
    return {"type": metric.kind, name: {**_identity(metric), "current": _current(proposal)}}


def _identity(metric: Metric) -> dict[str, Any]:
    if metric.kind == "Resource":
        return {"name": metric.name}
    if metric.kind == "ContainerResource":
        return {"name": metric.name, "container": metric.container}
    identifier: dict[str, Any] = {"name": metric.name}
    if metric.selector is not None:
        identifier["selector"] = metric.selector
    if metric.described_object is None:
        return {"metric": identifier}
    return {"describedObject": metric.described_object, "metric": identifier}


def _current(proposal: Proposal) -> dict[str, Any]:
    if isinstance(proposal, PerPodProposal):
        usage = proposal.usage
        average = {"averageValue": quantities.of_milli(usage.average_m)}
        return average if usage.utilization is None else {"averageUtilization": usage.utilization, **average}
    if isinstance(proposal, AverageValueProposal):
        return {"averageValue": quantities.of_milli(proposal.average_m)}
    assert not isinstance(proposal, NoProposal)
    return {"value": quantities.of_milli(proposal.usage_m)}
