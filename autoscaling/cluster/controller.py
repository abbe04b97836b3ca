"""One Deployment under its HPA: what the controller sees of it, and what it then does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaling import spec
from autoscaling.cluster.pods import Fleet
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.observation import Answer, Failed, Sample, Seen
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import NEW, State
from mesh.catalog.catalog import Catalog
from mesh.catalog.deployment.autoscalers import Autoscaler, autoscalers
from mesh.errors import Misconfigured

SYNC_S = 15.0


@dataclass(slots=True)
class Controlled:
    """A fleet and the HPA that scales it; `first_s` is the time of the HPA's own first tick."""

    fleet: Fleet
    hpa: Hpa
    first_s: float
    scrape_s: float
    rows_in_flight: Callable[[], float]
    state: State = NEW

    def wanted(self, cores: float) -> int:
        """As many replicas as bring `cores` of CPU to the target, within min and max."""
        (least, most), wanted = (self.hpa.min_replicas, self.hpa.max_replicas), 1
        for metric in self.hpa.metrics:
            if metric.name == "cpu":
                share = metric.amount / 100 if metric.target == "Utilization" else metric.amount / 1000
                per_pod = share * self.fleet.request_cores if metric.target == "Utilization" else share
                wanted = max(wanted, math.ceil(cores / per_pod - 1e-9))
        return min(max(wanted, least), most)

    def decide(self, now_s: float, apis_up: bool) -> Decision:
        """One tick of the controller; what it decides is done to the fleet by the caller."""
        self.fleet.advance(now_s)
        answers = [self._answer(metric, now_s) if apis_up else Failed("no answer") for metric in self.hpa.metrics]
        seen = Seen(now_s, self.fleet.replicas, self.fleet.replicas, self.fleet.seen, answers)
        decision = reconcile(self.hpa, self.state, seen)
        self.state = decision.state
        return decision

    def _answer(self, metric: Metric, now_s: float) -> Answer:
        if metric.name == "cpu":
            return self.fleet.cpu_samples(now_s, self.scrape_s)
        if metric.kind == "External":
            return [math.ceil(self.rows_in_flight() * 1000)]
        usual = Sample(self.fleet.memory_m, now_s, SYNC_S)
        return {pod.name: usual for pod in self.fleet.pods if pod.serves(now_s)}


def controlled(
    fleet: Fleet, scaler: Autoscaler, first_s: float, scrape_s: float, rows_in_flight: Callable[[], float]
) -> Controlled:
    """`fleet` under the HPA of `scaler`; raises Misconfigured for a metric that the simulated world does not have."""
    hpa = spec.read(_as_hpa(scaler), place=scaler.name)
    for position, metric in enumerate(hpa.metrics):
        if metric.name not in ("cpu", "memory") and not _is_in_flight(metric, scaler):
            what = f"the {metric.kind} metric {metric.name!r} is of something that is not simulated"
            raise Misconfigured([f"{scaler.name}: metrics[{position}]: {what}; use CPU, memory or signal: in_flight"])
    return Controlled(fleet, hpa, first_s, scrape_s, rows_in_flight)


def rules(catalog: Catalog) -> dict[str, Hpa]:
    """The rules of every Deployment's HPA, by its name."""
    return {scaler.name: spec.read(_as_hpa(scaler), place=scaler.name) for scaler in autoscalers(catalog)}


def _is_in_flight(metric: Metric, scaler: Autoscaler) -> bool:
    """Whether it is the metric of `signal: in_flight`, which names the model."""
    labels = (metric.selector or {}).get("matchLabels", {})
    return metric.kind == "External" and (scaler.kind == "ScaledObject" or "model" in labels)


def _as_hpa(scaler: Autoscaler) -> Mapping[str, Any]:
    """The HPA itself, or the one that KEDA makes of a ScaledObject: its metric is external, and a mean over pods."""
    if scaler.kind == "HorizontalPodAutoscaler":
        return scaler.spec
    target = {"type": "AverageValue", "averageValue": scaler.spec["threshold"]}
    return {
        "minReplicas": scaler.spec["minReplicaCount"],
        "maxReplicas": scaler.spec["maxReplicaCount"],
        "metrics": [{"type": "External", "external": {"metric": {"name": "s0-prometheus"}, "target": target}}],
        "behavior": scaler.spec["behavior"],
    }
