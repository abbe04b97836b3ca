"""The costs of supervisors: CPU by cohorts and requests, and the time of a request before the models receive it."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaling.cluster.pods import StartTimes

# docs/decisions/0002-cohorts.md: the CPU of a journey per message, and the maximum share of time for journeys.
MESSAGE_CPU_S = 0.0002
JOURNEYS_CPU_S = 0.5
# docs/performance.md, W15 at 64 and 256 callers: 0.6 to 0.7 ms per answer, including journeys.
REQUEST_CPU_S = 0.0005
FEATURES_S = 0.001  # most players are in the cache
MEMORY_MB = 90.0
STARTS = StartTimes(load_s=1.0, load_cpu_s=1.0)
MAX_UTILIZATION = 0.98


@dataclass(frozen=True, slots=True)
class SupervisorLoad:
    """One game's supervisors in one step: cores of each, seconds before the models, and the share of shed requests."""

    cores: float
    before_s: float
    shed: float


def supervisor_load(rps: float, supervisors: int, models: int) -> SupervisorLoad:
    """Returns the load of `supervisors` single event loops that share `rps`, for an ensemble of `models` models."""
    if supervisors == 0:
        return SupervisorLoad(0.0, 0.0, 1.0)
    each = rps / supervisors
    journey_s = MESSAGE_CPU_S * models
    cohort = max(1.0, each * journey_s / JOURNEYS_CPU_S)
    request_s = REQUEST_CPU_S + journey_s / cohort
    busy = each * request_s
    wait_s = min(busy, MAX_UTILIZATION) / (2 * (1 - min(busy, MAX_UTILIZATION))) * request_s * cohort
    shed = max(0.0, 1 - 1 / busy) if busy > 1 else 0.0
    return SupervisorLoad(min(busy, 1.0), FEATURES_S + journey_s + wait_s, shed)
