"""What an expression may name: metrics of a real mesh, those of the cluster that we use, and what the rules record."""

from __future__ import annotations

from collections.abc import Mapping

from tests.k8s.monitoring.promql import named
from tests.k8s.monitoring.scrapes import Scrapes

# What the PodMonitor adds to each sample; a worker does not know whose it is, and gets that from its pod's labels.
_OF_SUPERVISOR = {"namespace", "pod"}
_OF_WORKER = {"namespace", "pod", "game", "version", "model"}

_SCALER = {"namespace", "horizontalpodautoscaler"}
_CONTAINER = {"namespace", "pod", "container"}
_TARGET = _SCALER | {"metric_name", "metric_target_type"}
# Of kube-state-metrics (internal/store) and of cAdvisor, as the kubelet serves it.
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
    """Every name that Prometheus will have from the mesh and the cluster, with its labels."""
    return {
        **CLUSTER,
        **{name: set(labels) | _OF_SUPERVISOR for name, labels in scrapes.supervisor.samples.items()},
        **{name: set(labels) | _OF_WORKER for name, labels in scrapes.worker.samples.items()},
    }


def faults(expression: str, known: Mapping[str, set[str]]) -> list[str]:
    """The metrics and labels in `expression` that do not exist."""
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
