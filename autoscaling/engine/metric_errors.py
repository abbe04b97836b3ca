"""What the controller says of a metric that gave no proposal, in its own words.

Source: horizontal.go, `computeStatusFor...Metric` and `computeReplicasForMetric`; metrics/client.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaling.engine.hpa import Metric


class MetricFailed(Exception):
    """A metric gives no proposal; the text is what its calculation says."""


_APIS = {
    "Resource": "resource metrics API",
    "ContainerResource": "resource metrics API",
    "Pods": "custom metrics API",
    "Object": "custom metrics API",
    "External": "external metrics API",
}


def not_fetched(metric: Metric, namespace: str, text: str) -> MetricFailed:
    """The API gave an error."""
    return _no_metric(metric, namespace, f"unable to fetch metrics from {_APIS[metric.kind]}: {text}")


def nothing_returned(metric: Metric, namespace: str) -> MetricFailed:
    """The API gave an empty list, which is an error and not zero."""
    return _no_metric(metric, namespace, f"no metrics returned from {_APIS[metric.kind]}")


def no_container(metric: Metric, namespace: str, pod: str) -> MetricFailed:
    """A pod's metrics lack the container that the metric is of."""
    text = f"container {metric.container} not present in metrics for pod {namespace}/{pod}"
    return _no_metric(metric, namespace, f"failed to get container metrics: {text}")


def sentence(metric: Metric, text: str) -> str:
    """`text` of a calculation as the controller's sentence about `metric`."""
    if metric.kind in ("Resource", "ContainerResource"):
        what = "usage" if metric.target == "AverageValue" else "utilization"
        subject = f"{metric.container} container" if metric.container else f"{metric.name} resource"
        return f"failed to get {subject} metric value: failed to get {metric.name} {what}: {text}"
    if metric.kind == "Pods":
        return f"failed to get pods metric value: {text}"
    if metric.kind == "Object":
        inner = f"failed to get {metric.name} object metric: " if metric.target == "AverageValue" else ""
        return f"failed to get object metric value: {inner}{text}"
    inner = f"external metric {metric.name}" if metric.target == "Value" else f"{metric.name} external metric"
    return f"failed to get {metric.name} external metric value: failed to get {inner}: {text}"


def _no_metric(metric: Metric, namespace: str, text: str) -> MetricFailed:
    if metric.kind == "Pods":
        return MetricFailed(f"unable to get metric {metric.name}: {text}")
    if metric.kind == "Object":
        described = metric.described or {}
        place = f"{described.get('kind')} on {namespace} {described.get('name')}"
        return MetricFailed(f"unable to get metric {metric.name}: {place}/{text}")
    if metric.kind == "External":
        return MetricFailed(
            f"unable to get external metric {namespace}/{metric.name}/{_shown(metric.selector)}: {text}"
        )
    return MetricFailed(f"unable to get metrics for resource {metric.name}: {text}")


def _shown(selector: Mapping[str, Any] | None) -> str:
    """As Go prints a LabelSelector."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one['key']},Operator:{one['operator']},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
