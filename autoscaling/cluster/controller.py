"""The HPA controller of one simulated Deployment: observes the fleet and decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from autoscaling import spec
from autoscaling.cluster.load import Load
from autoscaling.cluster.pods import Fleet
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.observation import ApiError, MetricResponse, Observation, Sample
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import INITIAL_STATE, State
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.catalog.deployment.schedules import Schedule
from mesh.errors import Misconfigured

SYNC_S = 15.0


@dataclass(slots=True)
class HpaController:
    """A fleet and the HPA that scales it; `first_s` is the time of the HPA's first tick.

    `load` gives the dates and times of day of the windows in `schedule`.
    """

    fleet: Fleet
    hpa: Hpa
    first_s: float
    scrape_s: float
    rows_in_flight: Callable[[], float]
    schedule: tuple[Schedule, ...] = ()
    load: Load | None = None
    state: State = INITIAL_STATE

    def hpa_at(self, now_s: float) -> Hpa:
        """Returns the HPA, with the minimum replicas of the schedule."""
        if not self.schedule or self.load is None:
            return self.hpa
        open_min = [one.min for one in self.schedule if one.covers(self.load.moment(now_s, ZoneInfo(one.tz)))]
        return replace(self.hpa, min_replicas=max([self.hpa.min_replicas, *open_min]))

    def replicas_for(self, cores: float) -> int:
        """Returns the replicas, within min and max at the start, at which a usage of `cores` is at the CPU target."""
        wanted = 1
        for metric in self.hpa.metrics:
            if metric.name == "cpu":
                share = metric.amount / 100 if metric.target == "Utilization" else metric.amount / 1000
                per_pod = share * self.fleet.request_cores if metric.target == "Utilization" else share
                wanted = max(wanted, math.ceil(cores / per_pod - 1e-9))
        return min(max(wanted, self.hpa_at(0.0).min_replicas), self.hpa.max_replicas)

    def decide(self, now_s: float, apis_up: bool) -> Decision:
        """Runs one tick; the caller applies the decision to the fleet."""
        self.fleet.advance(now_s)
        responses = [
            self._response(metric, now_s) if apis_up else ApiError("no response") for metric in self.hpa.metrics
        ]
        observed = Observation(now_s, self.fleet.replicas, self.fleet.replicas, self.fleet.observed, responses)
        decision = reconcile(self.hpa_at(now_s), self.state, observed)
        self.state = decision.state
        return decision

    def _response(self, metric: Metric, now_s: float) -> MetricResponse:
        if metric.name == "cpu":
            return self.fleet.cpu_samples(now_s, self.scrape_s)
        if metric.kind == "External":
            return [math.ceil(self.rows_in_flight() * 1000)]
        memory = Sample(self.fleet.memory_m, now_s, SYNC_S)
        return {pod.name: memory for pod in self.fleet.pods if pod.serves(now_s)}


def hpa_controller(
    fleet: Fleet,
    scaler: Autoscaler,
    first_s: float,
    scrape_s: float,
    rows_in_flight: Callable[[], float],
    load: Load | None = None,
) -> HpaController:
    """Returns the controller of `fleet` for `scaler`; raises Misconfigured for a metric that is not simulated."""
    hpa = spec.read(_hpa_spec(scaler), place=scaler.name)
    for position, metric in enumerate(hpa.metrics):
        if metric.name not in ("cpu", "memory") and not _is_in_flight(metric, scaler):
            problem = f"the {metric.kind} metric {metric.name!r} is not simulated"
            raise Misconfigured(
                [f"{scaler.name}: metrics[{position}]: {problem}; use CPU, memory or signal: in_flight"]
            )
    return HpaController(fleet, hpa, first_s, scrape_s, rows_in_flight, scaler.schedule, load)


def hpas(catalog: Catalog) -> dict[str, Hpa]:
    """Returns the HPA of every Deployment, by the name of the Deployment."""
    return {scaler.name: spec.read(_hpa_spec(scaler), place=scaler.name) for scaler in autoscalers(catalog)}


def _is_in_flight(metric: Metric, scaler: Autoscaler) -> bool:
    """Whether this is the metric of `signal: in_flight`, which has the model as a label."""
    labels = (metric.selector or {}).get("matchLabels", {})
    return metric.kind == "External" and (scaler.kind == "ScaledObject" or "model" in labels)


def _hpa_spec(scaler: Autoscaler) -> Mapping[str, Any]:
    """The spec of the HPA, or of the HPA that KEDA creates for a ScaledObject: an average of an External metric."""
    if scaler.kind == "HorizontalPodAutoscaler":
        return scaler.spec
    target = {"type": "AverageValue", "averageValue": scaler.spec["threshold"]}
    return {
        "minReplicas": scaler.spec["minReplicaCount"],
        "maxReplicas": scaler.spec["maxReplicaCount"],
        "metrics": [{"type": "External", "external": {"metric": {"name": "s0-prometheus"}, "target": target}}],
        "behavior": scaler.spec["behavior"],
    }
