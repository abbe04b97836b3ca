"""Errors of metrics, with the wording of the HPA controller.

Source: horizontal.go, `computeStatusFor...Metric` and `computeReplicasForMetric`; metrics/client.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaling.engine.hpa import Metric


class MetricError(Exception):
    """A metric gives no proposal; the text is the error of its calculation."""


_APIS = {
    "Resource": "resource metrics API",
    "ContainerResource": "resource metrics API",
    "Pods": "custom metrics API",
    "Object": "custom metrics API",
    "External": "external metrics API",
}


def fetch_failed(metric: Metric, namespace: str, text: str) -> MetricError:
    """The API returned the error `text`."""
    return _unavailable(metric, namespace, f"unable to fetch metrics from {_APIS[metric.kind]}: {text}")


def no_metrics_returned(metric: Metric, namespace: str) -> MetricError:
    """The API returned an empty list; the controller treats this as an error, not as zero."""
    return _unavailable(metric, namespace, f"no metrics returned from {_APIS[metric.kind]}")


def container_missing(metric: Metric, namespace: str, pod: str) -> MetricError:
    """The metrics of `pod` do not have the container of the metric."""
    text = f"container {metric.container} not present in metrics for pod {namespace}/{pod}"
    return _unavailable(metric, namespace, f"failed to get container metrics: {text}")


def status_message(metric: Metric, text: str) -> str:
    """Returns the controller's message about `metric` for the error `text` of its calculation."""
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


def _unavailable(metric: Metric, namespace: str, text: str) -> MetricError:
    if metric.kind == "Pods":
        return MetricError(f"unable to get metric {metric.name}: {text}")
    if metric.kind == "Object":
        described = metric.described_object or {}
        place = f"{described.get('kind')} on {namespace} {described.get('name')}"
        return MetricError(f"unable to get metric {metric.name}: {place}/{text}")
    if metric.kind == "External":
        selector = _go_selector(metric.selector)
        return MetricError(f"unable to get external metric {namespace}/{metric.name}/{selector}: {text}")
    return MetricError(f"unable to get metrics for resource {metric.name}: {text}")


def _go_selector(selector: Mapping[str, Any] | None) -> str:
    """Formats a LabelSelector as Go prints it."""
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
