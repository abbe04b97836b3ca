"""Which pods count for a metric, and how.

Source: replica_calculator.go, `groupPods`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoscaling.engine.hpa import Flags
from autoscaling.engine.observation import Pod, Sample
from autoscaling.engine.rationale import Groups


def group(pods: Sequence[Pod], samples: Mapping[str, Sample], is_cpu: bool, flags: Flags, now_s: float) -> Groups:
    """`pods` by how they count; only CPU's samples are doubted while a pod starts."""
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
    return Groups(ready, tuple(unready), tuple(missing), tuple(ignored))


def _is_starting(pod: Pod, sample: Sample, flags: Flags, now_s: float) -> bool:
    start_s, since_s = pod.start_s, pod.ready_since_s
    if since_s is None or start_s is None:
        return True
    if start_s + flags.cpu_initialization_s > now_s:
        # The start itself takes CPU: a whole window must lie after the pod became ready.
        return pod.ready is False or sample.at_s < since_s + sample.window_s
    # A pod that was ready once and is not now still counts.
    return pod.ready is False and start_s + flags.initial_readiness_delay_s > since_s


def ready_pods(pods: Sequence[Pod]) -> int:
    """How many run and are ready, whatever the metrics say. Source: `getReadyPodsCount`"""
    return sum(1 for pod in pods if pod.phase == "Running" and pod.ready is True and pod.ready_since_s is not None)
