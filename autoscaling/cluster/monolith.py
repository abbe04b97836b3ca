"""What the same load would cost without a mesh: copies of one process that holds every model, always as many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaling.cluster.model_costs import ModelCosts

BASE_MB = 60.0  # the web framework and its process
OF_WORKER_MB = 33.0  # of a worker's memory: what every worker has, whatever its model
REQUEST_CPU_S = 0.001
BUSY_AT_PEAK = 0.6


@dataclass(frozen=True, slots=True)
class Monolith:
    """So many copies, each of one core; the models of a copy are asked one after the other."""

    copies: int
    request_s: float
    core_hours: float
    memory_gb_hours: float


def monolith(costs: Sequence[ModelCosts], rows: int, peak_rps: float, hours: float) -> Monolith:
    """As many copies as are busy for BUSY_AT_PEAK at the peak."""
    request_s = REQUEST_CPU_S + sum(one.row_s * rows for one in costs)
    copies = max(1, math.ceil(peak_rps * request_s / BUSY_AT_PEAK))
    memory_mb = BASE_MB + sum(max(0.0, one.memory_mb - OF_WORKER_MB) for one in costs)
    return Monolith(copies, request_s, copies * hours, copies * memory_mb * hours / 1024)
