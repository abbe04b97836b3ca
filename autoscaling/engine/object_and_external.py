"""Proposals of Object and External metrics, which have no value per pod.

Source: replica_calculator.go, `getUsageRatioReplicaCount`, `GetObjectPerPodMetricReplicas`,
`GetExternalPerPodMetricReplicas`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoscaling.engine.go_arithmetic import MAX_INT32, MAX_INT64, ceil_int32, ceil_int64, ratio, wrapped_int64
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.metric_errors import MetricError, no_metrics_returned
from autoscaling.engine.observation import Observation
from autoscaling.engine.pod_groups import count_ready_pods
from autoscaling.engine.rationale import AverageValueProposal, ValueProposal
from autoscaling.engine.versions import CAPPED_AVERAGE_VALUE, CAPPED_SUM, CAPPED_VALUE, Version

TotalProposal = ValueProposal | AverageValueProposal


def propose_for_object(metric: Metric, hpa: Hpa, observed: Observation, value_m: int) -> TotalProposal:
    """Returns the proposal for the value of an object; raises MetricError."""
    if metric.target == "AverageValue":
        return _by_average_value(metric, hpa, observed, value_m)
    return _by_value(metric, hpa, observed, value_m)


def propose_for_external(metric: Metric, hpa: Hpa, observed: Observation, series_m: Sequence[int]) -> TotalProposal:
    """Returns the proposal for the sum of `series_m`; raises MetricError."""
    if not series_m:
        raise no_metrics_returned(metric, hpa.namespace)
    if metric.target == "AverageValue":
        return _by_average_value(metric, hpa, observed, _sum_for_average_m(series_m, hpa.version))
    return _by_value(metric, hpa, observed, _sum_m(series_m, hpa.version))


def _sum_m(series_m: Iterable[int], version: Version) -> int:
    if not version.has(CAPPED_SUM):
        return wrapped_int64(sum(series_m))
    total_m = 0
    for value_m in series_m:
        if value_m > 0 and total_m > MAX_INT64 - value_m:
            return MAX_INT64
        total_m += value_m
    return total_m


def _sum_for_average_m(series_m: Iterable[int], version: Version) -> int:
    """The controller treats a sum below zero as an overflow, even if a series is negative."""
    if not version.has(CAPPED_AVERAGE_VALUE):
        return wrapped_int64(sum(series_m))
    total_m = 0
    for value_m in series_m:
        total_m += value_m
        if not 0 <= total_m <= MAX_INT64:
            return MAX_INT64
    return total_m


def _by_value(metric: Metric, hpa: Hpa, observed: Observation, usage_m: int) -> ValueProposal:
    current, found = observed.spec_replicas, ratio(usage_m, metric.amount)
    if current == 0:
        # From 0 replicas there is no tolerance: any value above 0 starts a pod.
        return ValueProposal(ceil_int32(found), "scaled", current, usage_m, found, None)
    if hpa.tolerance.holds(found):
        return ValueProposal(current, "within tolerance", current, usage_m, found, None)
    if not observed.pods:
        text = "no pods returned by selector while calculating replica count"
        raise MetricError(f"unable to calculate ready pods: {text}")
    ready = count_ready_pods(observed.pods)
    replicas = _ceil(found * float(ready), capped=hpa.version.has(CAPPED_VALUE))
    return ValueProposal(replicas, "scaled", current, usage_m, found, ready)


def _by_average_value(metric: Metric, hpa: Hpa, observed: Observation, usage_m: int) -> AverageValueProposal:
    """Uses the replicas of the scale's status; ready pods are not counted."""
    status = observed.status_replicas
    found = ratio(usage_m, float(metric.amount) * float(status))
    capped = metric.kind == "External" and hpa.version.has(CAPPED_AVERAGE_VALUE)
    average_m = MAX_INT64 if capped and float(usage_m) >= float(MAX_INT64) else ceil_int64(ratio(usage_m, status))
    # The old rule compares in the other direction, and therefore keeps NaN.
    if hpa.tolerance.holds(found) or (hpa.tolerance.symmetrical and found != found):
        return AverageValueProposal(status, "within tolerance", status, usage_m, average_m, found)
    replicas = _ceil(ratio(usage_m, metric.amount), capped=capped)
    return AverageValueProposal(replicas, "scaled", status, usage_m, average_m, found)


def _ceil(value: float, *, capped: bool) -> int:
    return MAX_INT32 if capped and value > MAX_INT32 else ceil_int32(value)
