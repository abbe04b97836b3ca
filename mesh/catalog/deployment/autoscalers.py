"""The HPA of every Deployment of a catalog, as the Helm chart creates it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.blocks import Hpa, InFlight, Replicas, SupervisorDeployment, WorkerDeployment
from mesh.catalog.deployment.names import supervisor_name
from mesh.catalog.deployment.overlay import overlay
from mesh.catalog.deployment.schedules import Schedule
from mesh.catalog.deployment.workers import Workers, workers_of


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The HPA of one Deployment, or the ScaledObject from which KEDA creates it; `spec` uses the keys of Kubernetes.

    `schedule`: the windows in which a CronJob raises the minimum replicas.
    """

    kind: Literal["HorizontalPodAutoscaler", "ScaledObject"]
    name: str
    spec: Mapping[str, Any]
    schedule: tuple[Schedule, ...] = ()


def autoscalers(catalog: Catalog) -> Iterator[Autoscaler]:
    """Yields the autoscalers that the chart creates from `catalog`: first the supervisor, then every model."""
    supervisor = overlay(SupervisorDeployment, catalog.supervisor)
    spec = _hpa_spec(supervisor.replicas, supervisor.hpa, _cpu(supervisor.hpa, "supervisor"))
    yield Autoscaler("HorizontalPodAutoscaler", supervisor_name(catalog.game), spec, supervisor.schedule)
    for workers in workers_of(catalog):
        yield _of_model(workers)


def _of_model(workers: Workers) -> Autoscaler:
    name, scaled = workers.name, workers.settings
    game, home, model = workers.key
    if scaled.signal == "cpu":
        metric = _cpu(scaled.hpa, "worker")
    elif scaled.in_flight.keda is None:
        metric = _rows_in_flight(scaled.in_flight, {"game": game, "version": home, "model": model})
    else:
        return Autoscaler("ScaledObject", name, _scaled_object_spec(scaled), scaled.schedule)
    return Autoscaler("HorizontalPodAutoscaler", name, _hpa_spec(scaled.replicas, scaled.hpa, metric), scaled.schedule)


def _cpu(hpa: Hpa, container: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": hpa.cpu_percent}
    return {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": container, "target": target}}


def _rows_in_flight(in_flight: InFlight, labels: Mapping[str, str]) -> dict[str, Any]:
    metric = {"name": in_flight.metric, "selector": {"matchLabels": labels}}
    target = {"type": "AverageValue", "averageValue": in_flight.rows}
    return {"type": "External", "external": {"metric": metric, "target": target}}


def _hpa_spec(replicas: Replicas, hpa: Hpa, metric: dict[str, Any]) -> dict[str, Any]:
    given = hpa.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "minReplicas": replicas.min,
        "maxReplicas": replicas.max,
        "metrics": given.get("metrics", [metric]),
        "behavior": given["behavior"],
    }


def _scaled_object_spec(scaled: WorkerDeployment) -> dict[str, Any]:
    return {
        "minReplicaCount": scaled.replicas.min,
        "maxReplicaCount": scaled.replicas.max,
        "threshold": scaled.in_flight.rows,
        "behavior": scaled.hpa.behavior.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
