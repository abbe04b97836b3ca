"""What supervisors cost: CPU by cohorts and requests, and how long requests are with them before models are asked."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaling.cluster.pods import Starts

# docs/decisions/0002-cohorts.md: a journey's price for each message, and the share of the time that journeys may take.
MESSAGE_CPU_S = 0.0002
JOURNEYS_CPU_S = 0.5
# docs/performance.md, W15 at 64 and 256 callers: 0.6 to 0.7 ms an answer, journeys included.
REQUEST_CPU_S = 0.0005
FEATURES_S = 0.001  # most players are in the cache
MEMORY_MB = 90.0
STARTS = Starts(load_s=1.0, load_cpu_s=1.0)
BUSIEST = 0.98


@dataclass(frozen=True, slots=True)
class Supervision:
    """One step of one game's supervisors: cores of each, seconds before the models, and the share that is shed."""

    cores: float
    before_s: float
    shed: float


def supervise(rps: float, supervisors: int, models: int) -> Supervision:
    """`rps` over so many supervisors, each one event loop, before `models` models."""
    if supervisors == 0:
        return Supervision(0.0, 0.0, 1.0)
    each = rps / supervisors
    journey_s = MESSAGE_CPU_S * models
    together = max(1.0, each * journey_s / JOURNEYS_CPU_S)
    request_s = REQUEST_CPU_S + journey_s / together
    busy = each * request_s
    waits_s = min(busy, BUSIEST) / (2 * (1 - min(busy, BUSIEST))) * request_s * together
    return Supervision(min(busy, 1.0), FEATURES_S + journey_s + waits_s, max(0.0, 1 - 1 / busy) if busy > 1 else 0.0)
