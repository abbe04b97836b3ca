"""Proposals of Resource, ContainerResource and Pods metrics, which have one value per pod.

Source: replica_calculator.go, `GetResourceReplicas` and `calcPlainMetricReplicas`; metrics/utilization.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaling.engine.go_arithmetic import ceil_int32, quotient, wrapped_int32
from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.metric_errors import MetricError
from autoscaling.engine.observation import Observation, Sample
from autoscaling.engine.pod_groups import group_pods
from autoscaling.engine.rationale import PerPodProposal, PodGroups, UsageRatio, Verdict
from autoscaling.engine.resource_requests import requests_m

# Arguments: whether missing pods count as at the target (else as 0), and how many unready pods are added as 0.
Adjust = Callable[[bool, int], UsageRatio]


def propose(metric: Metric, hpa: Hpa, observed: Observation, samples: Mapping[str, Sample]) -> PerPodProposal:
    """Returns the proposal for `samples` by pod name; raises MetricError."""
    if not observed.pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    is_cpu = metric.name == "cpu" and metric.kind != "Pods"
    groups = group_pods(observed.pods, samples, is_cpu, hpa.flags, observed.now_s)
    counted = _counted_m(samples, groups)
    if not counted:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    measure = _utilization if metric.target == "Utilization" else _average
    usage, adjust = measure(metric, observed, counted, groups)
    return _scaled(usage, adjust, groups, hpa.tolerance, observed.spec_replicas)


def _counted_m(samples: Mapping[str, Sample], groups: PodGroups) -> dict[str, int]:
    """The values that count. As in the controller, this includes values of pods that are not in the pod list."""
    counted = {name: value_m for name, (value_m, _, _) in samples.items()}
    for name in (*groups.ignored, *groups.unready):
        counted.pop(name, None)
    return counted


def _utilization(
    metric: Metric, observed: Observation, counted: dict[str, int], groups: PodGroups
) -> tuple[UsageRatio, Adjust]:
    requests = requests_m(observed.pods, metric.name, metric.container)
    known = counted.keys() & requests.keys()
    total_m, requested_m = sum(map(counted.__getitem__, known)), sum(map(requests.__getitem__, known))
    usage = _ratio_to_requests(metric.amount, total_m, requested_m, len(known), len(counted))

    def adjust(missing_at_target: bool, unready: int) -> UsageRatio:
        filled = [requests[name] for name in groups.missing]
        percent = max(100, metric.amount) if missing_at_target else 0
        total = total_m + sum(quotient(request * percent, 100) for request in filled)
        requested = requested_m + sum(filled) + sum(requests[name] for name in groups.unready[:unready])
        added = len(filled) + unready
        return _ratio_to_requests(metric.amount, total, requested, len(known) + added, len(counted) + added)

    return usage, adjust


def _ratio_to_requests(target: int, total_m: int, requested_m: int, known: int, pods: int) -> UsageRatio:
    if requested_m == 0:
        raise MetricError("no metrics returned matched known pods")
    percent = wrapped_int32(quotient(total_m * 100, requested_m))
    return UsageRatio(float(percent) / float(target), total_m, requested_m, pods, quotient(total_m, known), percent)


def _average(metric: Metric, _: Observation, counted: dict[str, int], groups: PodGroups) -> tuple[UsageRatio, Adjust]:
    total_m, pods = sum(counted.values()), len(counted)

    def adjust(missing_at_target: bool, unready: int) -> UsageRatio:
        missing = len(groups.missing)
        filled_m = missing * metric.amount if missing_at_target else 0
        return _ratio_to_average(metric.amount, total_m + filled_m, pods + missing + unready)

    return _ratio_to_average(metric.amount, total_m, pods), adjust


def _ratio_to_average(target_m: int, total_m: int, pods: int) -> UsageRatio:
    average_m = quotient(total_m, pods)
    return UsageRatio(float(average_m) / float(target_m), total_m, 0, pods, average_m, None)


def _scaled(usage: UsageRatio, adjust: Adjust, groups: PodGroups, tolerance: Tolerance, current: int) -> PerPodProposal:
    """Scales by the usage ratio. Pods without a usable value only ever reduce the change.

    When scaling up, they count as idle; when scaling down, missing pods count as busy.
    """
    unready = len(groups.unready) if usage.ratio > 1.0 else 0
    if not unready and not groups.missing:
        if tolerance.holds(usage.ratio):
            return PerPodProposal(current, "within tolerance", current, usage, None, groups)
        replicas = ceil_int32(usage.ratio * float(groups.ready))
        return PerPodProposal(replicas, "scaled", current, usage, None, groups)
    # At a ratio of exactly 1 the controller adjusts nothing, and 1 is within any tolerance.
    adjusted = usage if usage.ratio == 1.0 else adjust(usage.ratio < 1.0, unready)
    replicas, verdict = _judge(usage.ratio, adjusted, tolerance, current)
    return PerPodProposal(replicas, verdict, current, usage, adjusted, groups)


def _judge(ratio: float, adjusted: UsageRatio, tolerance: Tolerance, current: int) -> tuple[int, Verdict]:
    if tolerance.holds(adjusted.ratio):
        return current, "within tolerance"
    if (ratio < 1.0 < adjusted.ratio) or (adjusted.ratio < 1.0 < ratio):
        return current, "direction reversed"
    replicas = ceil_int32(adjusted.ratio * float(adjusted.pods))
    if (adjusted.ratio < 1.0 and replicas > current) or (adjusted.ratio > 1.0 and replicas < current):
        return current, "against direction"
    return replicas, "scaled"
