"""What a metric that each pod has proposes: Resource, ContainerResource, Pods.

Source: replica_calculator.go, `GetResourceReplicas` and `calcPlainMetricReplicas`; metrics/utilization.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaling.engine.go_arithmetic import ceil_int32, quotient, wrapped_int32
from autoscaling.engine.hpa import Hpa, Metric, Tolerance
from autoscaling.engine.metric_errors import MetricFailed, nothing_returned
from autoscaling.engine.observation import Sample, Seen
from autoscaling.engine.pod_groups import group
from autoscaling.engine.rationale import Groups, PerPod, Share, Verdict
from autoscaling.engine.resource_requests import requests_m

# Of the metric's own pods: whether the missing ones are counted as at the target, and how many are added at 0.
Enlarge = Callable[[bool, int], Share]


def propose(metric: Metric, hpa: Hpa, seen: Seen, samples: Mapping[str, Sample]) -> PerPod:
    """The proposal for `samples` by pod's name; raises MetricFailed."""
    if not samples:
        raise nothing_returned(metric, hpa.namespace)
    if not seen.pods:
        raise MetricFailed("no pods returned by selector while calculating replica count")
    is_cpu = metric.name == "cpu" and metric.kind != "Pods"
    groups = group(seen.pods, samples, is_cpu, hpa.flags, seen.now_s)
    counted = _counted_m(samples, groups)
    if not counted:
        raise MetricFailed("did not receive metrics for targeted pods (pods might be unready)")
    measure = _utilization if metric.target == "Utilization" else _usage
    share, enlarge = measure(metric, seen, counted, groups)
    return _weigh(share, enlarge, groups, hpa.tolerance, seen.spec_replicas)


def _counted_m(samples: Mapping[str, Sample], groups: Groups) -> dict[str, int]:
    """The values that count; also those of pods that nobody knows, as the controller does."""
    counted = {name: value_m for name, (value_m, _, _) in samples.items()}
    for name in (*groups.ignored, *groups.unready):
        counted.pop(name, None)
    return counted


def _utilization(metric: Metric, seen: Seen, counted: dict[str, int], groups: Groups) -> tuple[Share, Enlarge]:
    requests = requests_m(seen.pods, metric.name, metric.container)
    known = counted.keys() & requests.keys()
    total_m, requested_m = sum(map(counted.__getitem__, known)), sum(map(requests.__getitem__, known))
    share = _share_of_requests(metric.amount, total_m, requested_m, len(known), len(counted))

    def enlarge(missing_at_target: bool, unready: int) -> Share:
        filled = [requests[name] for name in groups.missing]
        percent = max(100, metric.amount) if missing_at_target else 0
        total = total_m + sum(quotient(request * percent, 100) for request in filled)
        requested = requested_m + sum(filled) + sum(requests[name] for name in groups.unready[:unready])
        added = len(filled) + unready
        return _share_of_requests(metric.amount, total, requested, len(known) + added, len(counted) + added)

    return share, enlarge


def _share_of_requests(target: int, total_m: int, requested_m: int, known: int, pods: int) -> Share:
    if requested_m == 0:
        raise MetricFailed("no metrics returned matched known pods")
    percent = wrapped_int32(quotient(total_m * 100, requested_m))
    return Share(float(percent) / float(target), total_m, requested_m, pods, quotient(total_m, known), percent)


def _usage(metric: Metric, _: Seen, counted: dict[str, int], groups: Groups) -> tuple[Share, Enlarge]:
    total_m, pods = sum(counted.values()), len(counted)

    def enlarge(missing_at_target: bool, unready: int) -> Share:
        missing = len(groups.missing)
        filled_m = missing * metric.amount if missing_at_target else 0
        return _share_of_target(metric.amount, total_m + filled_m, pods + missing + unready)

    return _share_of_target(metric.amount, total_m, pods), enlarge


def _share_of_target(target_m: int, total_m: int, pods: int) -> Share:
    average_m = quotient(total_m, pods)
    return Share(float(average_m) / float(target_m), total_m, 0, pods, average_m, None)


def _weigh(share: Share, enlarge: Enlarge, groups: Groups, tolerance: Tolerance, current: int) -> PerPod:
    """Up, whoever says nothing counts as idle; down, as busy: a doubtful pod only ever slows the change."""
    unready = len(groups.unready) if share.ratio > 1.0 else 0
    if not unready and not groups.missing:
        if tolerance.holds(share.ratio):
            return PerPod(current, "within tolerance", current, share, None, groups)
        replicas = ceil_int32(share.ratio * float(groups.ready))
        return PerPod(replicas, "scaled", current, share, None, groups)
    # At exactly 1 nothing is filled in, and 1 is within any tolerance.
    again = share if share.ratio == 1.0 else enlarge(share.ratio < 1.0, unready)
    replicas, verdict = _judge(share.ratio, again, tolerance, current)
    return PerPod(replicas, verdict, current, share, again, groups)


def _judge(ratio: float, again: Share, tolerance: Tolerance, current: int) -> tuple[int, Verdict]:
    if tolerance.holds(again.ratio):
        return current, "within tolerance"
    if (ratio < 1.0 < again.ratio) or (again.ratio < 1.0 < ratio):
        return current, "turned"
    replicas = ceil_int32(again.ratio * float(again.pods))
    if (again.ratio < 1.0 and replicas > current) or (again.ratio > 1.0 and replicas < current):
        return current, "held"
    return replicas, "scaled"
