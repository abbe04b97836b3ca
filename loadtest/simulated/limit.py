"""The limit: the latencies of an ideal mesh, which costs nothing and only waits for its models."""

from __future__ import annotations

import heapq

import numpy as np

from loadtest.generators import arrivals
from loadtest.measurement.point import Span
from loadtest.simulated.service_times import Seconds, ServiceTimes
from loadtest.workloads import SimulatedEnsemble

LIMIT_RUNS = 20  # the same arrivals with other service times, for stable percentiles


def limit_ms(ensemble: SimulatedEnsemble, rate_rps: float, span: Span, seed: int) -> Seconds:
    """The latencies of the ideal mesh in ms, for the arrivals of an open-loop generator with the same arguments."""
    due_s = arrivals.poisson(rate_rps, span.warm_up_s + span.seconds, seed)
    rng = np.random.default_rng(seed)
    runs = [
        ideal_latencies_s(due_s, ensemble.service, ensemble.models, ensemble.replicas, rng)[due_s >= span.warm_up_s]
        for _ in range(LIMIT_RUNS)
    ]
    return np.concatenate(runs) * 1000


def ideal_latencies_s(
    arrivals_s: Seconds, service: ServiceTimes, models: int, replicas: int, rng: np.random.Generator
) -> Seconds:
    """Seconds from each arrival to the answer of the last model [arrivals], by simulation.

    Every model has one first-come-first-served queue for all its replicas: no work waits while a replica is free.
    Nothing else takes time. `arrivals_s` are in ascending order.
    """
    slowest_s = np.zeros(len(arrivals_s))
    for _ in range(models):
        needed_s = service.draw(rng, len(arrivals_s))
        np.maximum(slowest_s, queue_latencies_s(arrivals_s, needed_s, replicas), out=slowest_s)
    return slowest_s


def queue_latencies_s(arrivals_s: Seconds, needed_s: Seconds, servers: int) -> Seconds:
    """Seconds from arrival to the end of service in one queue with `servers` servers [arrivals].

    First come, first served: Kiefer & Wolfowitz 1955, with a heap of the times at which servers become free.
    """
    free_s = [0.0] * servers
    ends_s = np.empty(len(arrivals_s))
    for index, (arrival_s, need_s) in enumerate(zip(arrivals_s.tolist(), needed_s.tolist(), strict=True)):
        ends_s[index] = end_s = max(arrival_s, free_s[0]) + need_s
        heapq.heapreplace(free_s, end_s)
    return ends_s - arrivals_s
