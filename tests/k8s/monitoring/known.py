"""The metrics and labels that an expression may name: a real mesh's, and those of the cluster that we use."""

from __future__ import annotations

from collections.abc import Mapping

from tests.k8s.monitoring.promql import named
from tests.k8s.monitoring.scrapes import Scrapes

# Labels that the PodMonitor adds to each sample. A worker's game, version and model come from the labels of its pod.
_OF_SUPERVISOR = {"namespace", "pod"}
_OF_WORKER = {"namespace", "pod", "game", "version", "model"}

_SCALER = {"namespace", "horizontalpodautoscaler"}
_CONTAINER = {"namespace", "pod", "container"}
_TARGET = _SCALER | {"metric_name", "metric_target_type"}
# From kube-state-metrics (internal/store) and from the kubelet's cAdvisor.
CLUSTER: Mapping[str, set[str]] = {
    "kube_deployment_status_replicas_ready": {"namespace", "deployment"},
    "kube_pod_container_status_waiting_reason": _CONTAINER | {"reason"},
    "kube_pod_container_status_restarts_total": _CONTAINER,
    "kube_pod_owner": {"namespace", "pod", "owner_kind", "owner_name"},
    "kube_pod_container_resource_requests": _CONTAINER | {"resource"},
    "kube_horizontalpodautoscaler_spec_min_replicas": _SCALER,
    "kube_horizontalpodautoscaler_spec_max_replicas": _SCALER,
    "kube_horizontalpodautoscaler_status_current_replicas": _SCALER,
    "kube_horizontalpodautoscaler_status_desired_replicas": _SCALER,
    "kube_horizontalpodautoscaler_status_condition": _SCALER | {"condition", "status"},
    "kube_horizontalpodautoscaler_spec_target_metric": _TARGET,
    "kube_horizontalpodautoscaler_spec_target_container_metric": _TARGET,
    "container_cpu_usage_seconds_total": _CONTAINER,
    "container_memory_working_set_bytes": _CONTAINER,
}


def metrics(scrapes: Scrapes) -> dict[str, set[str]]:
    """Every metric of the mesh and the cluster by name, with its labels in Prometheus."""
    return {
        **CLUSTER,
        **{name: set(labels) | _OF_SUPERVISOR for name, labels in scrapes.supervisor.samples.items()},
        **{name: set(labels) | _OF_WORKER for name, labels in scrapes.worker.samples.items()},
        **{name: set(labels) | _OF_WORKER for name, labels in scrapes.certificate.samples.items()},
        **{name: set(labels) | _OF_WORKER for name, labels in scrapes.traces.samples.items()},
    }


def faults(expression: str, known: Mapping[str, set[str]]) -> list[str]:
    """One line for each metric or label in `expression` that does not exist."""
    names = named(expression)
    available = set(names.made).union(*(known.get(metric, set()) for metric, _ in names.selected))
    return [
        *(f"no metric {metric}" for metric, _ in names.selected if metric not in known),
        *(
            f"{metric} has no label {label}"
            for metric, labels in names.selected
            for label in labels - known.get(metric, labels)
        ),
        *(f"no metric here has a label {label}" for label in names.grouped - available),
    ]
