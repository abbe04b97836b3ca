"""Groups the pods of a metric: ready, unready, missing, ignored.

Source: replica_calculator.go, `groupPods`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaling.engine.hpa import Flags
from autoscaling.engine.observation import Pod, Sample
from autoscaling.engine.rationale import PodGroups


def group_pods(
    pods: Sequence[Pod], samples: Mapping[str, Sample], is_cpu: bool, flags: Flags, now_s: float
) -> PodGroups:
    """Groups `pods`. A pod that is still starting is unready, but only for CPU metrics."""
    ready, unready, missing, ignored = 0, [], [], []
    for pod in pods:
        if pod.deleting or pod.phase == "Failed":
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            unready.append(pod.name)
        elif (sample := samples.get(pod.name)) is None:
            missing.append(pod.name)
        elif not is_cpu or not _is_starting(pod, sample, flags, now_s):
            ready += 1
        else:
            unready.append(pod.name)
    return PodGroups(ready, tuple(unready), tuple(missing), tuple(ignored))


def _is_starting(pod: Pod, sample: Sample, flags: Flags, now_s: float) -> bool:
    start_s, since_s = pod.start_s, pod.ready_since_s
    if since_s is None or start_s is None:
        return True
    if start_s + flags.cpu_initialization_s > now_s:
        # Starting takes CPU: the whole window of the sample must lie after the pod became ready.
        return pod.ready is False or sample.at_s < since_s + sample.window_s
    # A pod that was ready before and is not ready now still counts.
    return pod.ready is False and start_s + flags.initial_readiness_delay_s > since_s


def count_ready_pods(pods: Sequence[Pod]) -> int:
    """Returns the number of pods that are running and ready; ignores all metrics. Source: `getReadyPodsCount`"""
    return sum(1 for pod in pods if pod.phase == "Running" and pod.ready is True and pod.ready_since_s is not None)
