"""What the HPA's status says of its metrics, as Kubernetes shows it.

Source: horizontal.go, `computeStatusFor...Metric`
"""

from __future__ import annotations

from typing import Any

from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.rationale import PerPod, Proposal, Reasoning, Split, Unknown
from mesh.catalog import quantities


def current_metrics(hpa: Hpa, reasoning: Reasoning) -> list[dict[str, Any]]:
    """`status.currentMetrics` of one decision; a metric that failed has its place and nothing in it."""
    return [_status(*both) for both in zip(hpa.metrics, reasoning.proposals, strict=False)]


def _status(metric: Metric, proposal: Proposal) -> dict[str, Any]:
    if isinstance(proposal, Unknown):
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
    if metric.described is None:
        return {"metric": identifier}
    return {"describedObject": metric.described, "metric": identifier}


def _current(proposal: Proposal) -> dict[str, Any]:
    if isinstance(proposal, PerPod):
        share = proposal.share
        average = {"averageValue": quantities.of_milli(share.average_m)}
        return average if share.utilization is None else {"averageUtilization": share.utilization, **average}
    if isinstance(proposal, Split):
        return {"averageValue": quantities.of_milli(proposal.average_m)}
    assert not isinstance(proposal, Unknown)
    return {"value": quantities.of_milli(proposal.usage_m)}
