"""The scheduler of the simulated cluster: assigns pending pods to nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autoscaling.cluster.pods import Fleet


def schedule_pods(fleets: Sequence[Fleet], cores: float, now_s: float, rng: np.random.Generator) -> bool:
    """Schedules pending pods, the oldest first, while nodes have free cores; returns whether pods are still pending.

    `cores` are those of all nodes; the nodes are treated as one.
    """
    free = cores - sum(fleet.requested_cores() for fleet in fleets) if cores < math.inf else math.inf
    pending = [(pod.created_s, number, pod, fleet) for number, fleet in enumerate(fleets) for pod in fleet.pending()]
    for _, _, pod, fleet in sorted(pending, key=lambda one: one[:2]):
        if fleet.request_cores > free:
            return True
        fleet.schedule(pod, now_s, rng)
        free -= fleet.request_cores
    return False
