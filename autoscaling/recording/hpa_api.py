"""Which paths of a cluster's API hold what an HPA's controller looks at, and what they say: `get` reads one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.recording import api_objects
from autoscaling.recording.api_objects import Sight, World
from autoscaling.traces.trace_file import Answers
from mesh.errors import MeshError, Misconfigured

Get = Callable[[str], Mapping[str, Any]]
_GROUPS = {"Pods": "custom.metrics.k8s.io", "Object": "custom.metrics.k8s.io", "External": "external.metrics.k8s.io"}


class Asked(NamedTuple):
    """One metric: the field of a trace that takes it, its path, and the query but for the pods' labels."""

    field: str
    path: str
    query: tuple[tuple[str, str], ...]


class Paths(NamedTuple):
    """Where all of it is."""

    hpa: str
    scale: str
    pods: str
    metrics: tuple[Asked, ...]


def hpa_path(namespace: str, name: str) -> str:
    """Where an HPA is."""
    return f"/apis/autoscaling/v2/namespaces/{quote(namespace)}/horizontalpodautoscalers/{quote(name)}"


def find(get: Get, namespace: str, name: str, hpa: Hpa, target: Mapping[str, Any]) -> Paths:
    """Looks up where the scale of `target` and the metrics of `hpa` are, and reads each once.

    Raises Misconfigured for what is not there, or may not be read.
    """
    of_namespace = f"namespaces/{quote(namespace)}"
    plural, folder = _resource(get, target.get("apiVersion", "v1"), target["kind"])
    scale = f"{folder}/{of_namespace}/{plural}/{quote(target['name'])}/scale"
    required(get, scale, f"the scale of {target['kind']} {target['name']}")
    pods = f"/api/v1/{of_namespace}/pods"
    required(get, pods + "?limit=1", f"the pods of {namespace}")
    metrics = tuple(dict.fromkeys(_asked(get, of_namespace, metric) for metric in hpa.metrics))
    for field in {one.field for one in metrics}:
        if (count := sum(one.field == field for one in metrics)) > 1:
            raise Misconfigured([f"{name}: a trace holds one {field} metric, and this HPA names {count}"])
    return Paths(hpa_path(namespace, name), scale, pods, metrics)


def look(get: Get, paths: Paths, begin_s: float) -> Sight:
    """One look. Raises what `get` raises, but for metrics: an API that fails there is what the controller sees, too."""
    hpa = get(paths.hpa)
    at_s = time.time() - begin_s
    scale = get(paths.scale)["status"]
    selected = {"labelSelector": scale.get("selector", "")}
    pods = api_objects.pods(get(f"{paths.pods}?{urlencode(selected)}")["items"], begin_s)
    answers = {one.field: _answer(get, one, selected, begin_s) for one in paths.metrics}
    world = World(scale.get("replicas", 0), pods, Answers.model_validate(answers))
    return Sight(at_s, hpa["spec"], hpa.get("status") or {}, world)


def required(get: Get, path: str, what: str) -> Mapping[str, Any]:
    """What `path` says; raises Misconfigured where it cannot be read."""
    try:
        return get(path)
    except MeshError as error:
        raise Misconfigured([f"{what} cannot be read: {error.reason}"]) from None


def _resource(get: Get, api_version: str, kind: str) -> tuple[str, str]:
    """The plural of a kind, and the folder of its group."""
    folder = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    for one in required(get, folder, f"what the cluster has of {api_version}")["resources"]:
        if one["kind"] == kind and "/" not in one["name"]:
            return one["name"], folder
    raise Misconfigured([f"the cluster has no {kind} of {api_version}"])


def _asked(get: Get, of_namespace: str, metric: Metric) -> Asked:
    if metric.kind in ("Resource", "ContainerResource"):
        folder = "/apis/metrics.k8s.io/v1beta1"
        required(get, folder, f"{metric.name}: the metrics API (metrics-server)")
        return Asked("resource", f"{folder}/{of_namespace}/pods", ())
    group = _GROUPS[metric.kind]
    found = required(get, f"/apis/{group}", f"{metric.name}: the metrics API {group}")
    folder = f"/apis/{found['preferredVersion']['groupVersion']}"
    selector = _selector(metric.selector or {})
    if metric.kind == "External":
        return Asked("external", f"{folder}/{of_namespace}/{quote(metric.name)}", (("labelSelector", selector),))
    query = (("metricLabelSelector", selector),) if selector else ()
    if metric.kind == "Pods":
        return Asked("pods", f"{folder}/{of_namespace}/pods/*/{quote(metric.name)}", query)
    described = metric.described or {}
    version = described.get("apiVersion", "v1")
    plural, _ = _resource(get, version, described["kind"])
    of_group = f"{plural}.{version.partition('/')[0]}" if "/" in version else plural
    return Asked("object", f"{folder}/{of_namespace}/{of_group}/{described['name']}/{quote(metric.name)}", query)


def _answer(get: Get, asked: Asked, selected: Mapping[str, str], begin_s: float) -> Any:
    query = {**(selected if asked.field in ("resource", "pods") else {}), **dict(asked.query)}
    try:
        items = get(f"{asked.path}?{urlencode(query)}")["items"]
        if asked.field == "resource":
            return api_objects.usages(items, begin_s)
        if asked.field == "pods":
            return api_objects.values(items, begin_s)
        series = api_objects.series(items)
    except (MeshError, KeyError, ValueError):
        return None
    return series if asked.field == "external" else series[0] if series else None


def _selector(selector: Mapping[str, Any]) -> str:
    """A LabelSelector as a query has it."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], ",".join(sorted(one.get("values") or ()))
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append(words.get(one["operator"], f"!{key}"))
    return ",".join(terms)
