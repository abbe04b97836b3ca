"""Reads an HPA, its scale, its pods and its metrics from the Kubernetes API; `get` reads one path of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.recording import api_objects, kubectl_errors
from autoscaling.recording.api_objects import Snapshot, TargetState
from autoscaling.traces.trace_file import RecordedMetrics
from mesh.errors import MeshError, Misconfigured

Get = Callable[[str], Mapping[str, Any]]
_GROUPS = {"Pods": "custom.metrics.k8s.io", "Object": "custom.metrics.k8s.io", "External": "external.metrics.k8s.io"}


class MetricPath(NamedTuple):
    """One metric: its field in a trace, its path, and its query without the labels of the pods."""

    field: str
    path: str
    query: tuple[tuple[str, str], ...]


class ApiPaths(NamedTuple):
    """The paths of one HPA and of the objects that its controller reads."""

    hpa: str
    scale: str
    pods: str
    metrics: tuple[MetricPath, ...]


def hpa_path(namespace: str, name: str) -> str:
    """Returns the path of an HPA."""
    return f"/apis/autoscaling/v2/namespaces/{quote(namespace)}/horizontalpodautoscalers/{quote(name)}"


def find_paths(get: Get, namespace: str, name: str, hpa: Hpa, target: Mapping[str, Any]) -> ApiPaths:
    """Finds the paths of the scale of `target` and of the metrics of `hpa`, and reads each once.

    Raises Misconfigured if an object does not exist or cannot be read.
    """
    of_namespace = f"namespaces/{quote(namespace)}"
    plural, folder = _resource(get, target.get("apiVersion", "v1"), target["kind"])
    scale = f"{folder}/{of_namespace}/{plural}/{quote(target['name'])}/scale"
    read_required(get, scale, f"the scale of {target['kind']} {target['name']}")
    pods = f"/api/v1/{of_namespace}/pods"
    read_required(get, pods + "?limit=1", f"the pods of {namespace}")
    metrics = tuple(dict.fromkeys(_metric_path(get, of_namespace, metric) for metric in hpa.metrics))
    for field in {one.field for one in metrics}:
        if (count := sum(one.field == field for one in metrics)) > 1:
            raise Misconfigured([f"{name}: a trace can record one {field} metric, but this HPA has {count}"])
    return ApiPaths(hpa_path(namespace, name), scale, pods, metrics)


def take_snapshot(get: Get, paths: ApiPaths, begin_s: float, clock: Callable[[], float]) -> Snapshot:
    """Reads the HPA and then all other objects; `clock` returns the epoch time.

    Raises the errors of `get`, except for metrics: if a metrics API fails, the controller observes the same failure.
    """
    hpa = get(paths.hpa)
    at_s = clock() - begin_s
    scale = get(paths.scale)["status"]
    selected = {"labelSelector": scale.get("selector", "")}
    pods = api_objects.pods(get(f"{paths.pods}?{urlencode(selected)}")["items"], begin_s)
    metrics = {one.field: _response(get, one, selected, begin_s) for one in paths.metrics}
    target = TargetState(scale.get("replicas", 0), pods, RecordedMetrics.model_validate(metrics))
    return Snapshot(at_s, hpa["spec"], hpa.get("status") or {}, target)


def read_required(get: Get, path: str, subject: str) -> Mapping[str, Any]:
    """Reads `path`; raises Misconfigured, with the name `subject`, if it cannot be read."""
    try:
        return get(path)
    except MeshError as error:
        if kubectl_errors.is_unreachable(error.reason):
            raise Misconfigured([kubectl_errors.unreachable(error.reason)]) from None
        raise Misconfigured([f"{subject} cannot be read: {error.reason}"]) from None


def _resource(get: Get, api_version: str, kind: str) -> tuple[str, str]:
    """The plural name of `kind`, and the folder of its API group."""
    folder = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    for one in read_required(get, folder, f"the API group {api_version}")["resources"]:
        if one["kind"] == kind and "/" not in one["name"]:
            return one["name"], folder
    raise Misconfigured([f"the cluster has no {kind} in {api_version}; check the spec of the HPA"])


def _metric_path(get: Get, of_namespace: str, metric: Metric) -> MetricPath:
    if metric.kind in ("Resource", "ContainerResource"):
        folder = "/apis/metrics.k8s.io/v1beta1"
        read_required(get, folder, f"{metric.name}: the metrics API (metrics-server)")
        return MetricPath("resource", f"{folder}/{of_namespace}/pods", ())
    group = _GROUPS[metric.kind]
    found = read_required(get, f"/apis/{group}", f"{metric.name}: the metrics API {group}")
    folder = f"/apis/{found['preferredVersion']['groupVersion']}"
    selector = _label_selector(metric.selector or {})
    if metric.kind == "External":
        return MetricPath("external", f"{folder}/{of_namespace}/{quote(metric.name)}", (("labelSelector", selector),))
    query = (("metricLabelSelector", selector),) if selector else ()
    if metric.kind == "Pods":
        return MetricPath("pods", f"{folder}/{of_namespace}/pods/*/{quote(metric.name)}", query)
    described = metric.described_object or {}
    version = described.get("apiVersion", "v1")
    plural, _ = _resource(get, version, described["kind"])
    of_group = f"{plural}.{version.partition('/')[0]}" if "/" in version else plural
    return MetricPath("object", f"{folder}/{of_namespace}/{of_group}/{described['name']}/{quote(metric.name)}", query)


def _response(get: Get, metric: MetricPath, selected: Mapping[str, str], begin_s: float) -> Any:
    query = {**(selected if metric.field in ("resource", "pods") else {}), **dict(metric.query)}
    try:
        items = get(f"{metric.path}?{urlencode(query)}")["items"]
        if metric.field == "resource":
            return api_objects.usages(items, begin_s)
        if metric.field == "pods":
            return api_objects.values(items, begin_s)
        series = api_objects.series(items)
    except (MeshError, KeyError, ValueError):
        return None
    return series if metric.field == "external" else series[0] if series else None


def _label_selector(selector: Mapping[str, Any]) -> str:
    """Formats a LabelSelector for a query."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], ",".join(sorted(one.get("values") or ()))
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append(words.get(one["operator"], f"!{key}"))
    return ",".join(terms)
