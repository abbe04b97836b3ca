"""What a metric of something else than the pods proposes: Object, External.

Source: replica_calculator.go, `getUsageRatioReplicaCount`, `GetObjectPerPodMetricReplicas`,
`GetExternalPerPodMetricReplicas`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoscaling.engine.go_arithmetic import MAX_INT32, MAX_INT64, ceil_int32, ceil_int64, ratio
from autoscaling.engine.hpa import Hpa, Metric
from autoscaling.engine.metric_errors import MetricFailed, nothing_returned
from autoscaling.engine.observation import Seen
from autoscaling.engine.pod_groups import ready_pods
from autoscaling.engine.rationale import Split, Whole


def propose_for_object(metric: Metric, hpa: Hpa, seen: Seen, value_m: int) -> Whole | Split:
    """The proposal for one object's value; raises MetricFailed."""
    if metric.target == "AverageValue":
        return _split(metric, hpa, seen, value_m)
    return _whole(metric, hpa, seen, value_m)


def propose_for_external(metric: Metric, hpa: Hpa, seen: Seen, series_m: Sequence[int]) -> Whole | Split:
    """The proposal for the sum of `series_m`; raises MetricFailed."""
    if not series_m:
        raise nothing_returned(metric, hpa.namespace)
    if metric.target == "AverageValue":
        return _split(metric, hpa, seen, _sum_never_negative_m(series_m))
    return _whole(metric, hpa, seen, _capped_sum_m(series_m))


def _capped_sum_m(series_m: Iterable[int]) -> int:
    total_m = 0
    for value_m in series_m:
        if value_m > 0 and total_m > MAX_INT64 - value_m:
            return MAX_INT64
        total_m += value_m
    return total_m


def _sum_never_negative_m(series_m: Iterable[int]) -> int:
    """A sum below zero is taken for an overflow, even where a series is negative."""
    total_m = 0
    for value_m in series_m:
        total_m += value_m
        if not 0 <= total_m <= MAX_INT64:
            return MAX_INT64
    return total_m


def _whole(metric: Metric, hpa: Hpa, seen: Seen, usage_m: int) -> Whole:
    current, found = seen.spec_replicas, ratio(usage_m, metric.amount)
    if current == 0:
        # There is no pod to be near its target: anything above 0 wakes the first.
        return Whole(ceil_int32(found), "scaled", current, usage_m, found, None)
    if hpa.tolerance.holds(found):
        return Whole(current, "within tolerance", current, usage_m, found, None)
    if not seen.pods:
        text = "no pods returned by selector while calculating replica count"
        raise MetricFailed(f"unable to calculate ready pods: {text}")
    ready = ready_pods(seen.pods)
    replicas = _capped_ceil(found * float(ready))
    return Whole(replicas, "scaled", current, usage_m, found, ready)


def _split(metric: Metric, hpa: Hpa, seen: Seen, usage_m: int) -> Split:
    """Ready pods play no part here, only how many the scale says there are."""
    status = seen.status_replicas
    found = ratio(usage_m, float(metric.amount) * float(status))
    average_m = MAX_INT64 if float(usage_m) >= float(MAX_INT64) else ceil_int64(ratio(usage_m, status))
    # The old rule compares the other way round, and keeps what is not a number.
    if hpa.tolerance.holds(found) or (hpa.tolerance.symmetrical and found != found):
        return Split(status, "within tolerance", status, usage_m, average_m, found)
    replicas = _split_ceil(metric, ratio(usage_m, metric.amount))
    return Split(replicas, "scaled", status, usage_m, average_m, found)


def _split_ceil(metric: Metric, value: float) -> int:
    return _capped_ceil(value) if metric.kind == "External" else ceil_int32(value)


def _capped_ceil(value: float) -> int:
    return MAX_INT32 if value > MAX_INT32 else ceil_int32(value)
