"""Waiting times of requests in the queues of an ensemble: one queue per model, the same arrivals in all queues.

The probability of waiting is Erlang's C. The waiting time is exponential, with the mean of Allen and Cunneen (1978) for
general service times. All models of an ensemble have the same arrivals, so their waiting times are correlated. In heavy
traffic the queues of a fork are driven by Brownian motions with correlation c_a^2 / (c_a^2 + c_s^2), for arrivals of
variability c_a^2 (Poisson: 1) and service times of variability c_s^2 (Nguyen 1993, Processing networks with parallel
and sequential tasks). A Gaussian copula applies that correlation to the waiting times.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int_]

MAX_UTILIZATION = 0.995  # of a queue in equilibrium; load above it becomes a backlog
_TINY = 1e-9


def delay_probability(servers: Counts, offered: Floats) -> Floats:
    """Returns Erlang's C [queues]: the share of arrivals that find all `servers` busy; `offered` is in erlangs."""
    offered = np.minimum(offered, MAX_UTILIZATION * servers)
    blocked = np.ones(len(offered))
    result = np.ones(len(offered))
    for count in range(1, int(servers.max(initial=0)) + 1):
        blocked = offered * blocked / (count + offered * blocked)
        here = servers == count
        if here.any():
            result[here] = (blocked / (1 - offered / count * (1 - blocked)))[here]
    return result


def mean_delay_s(servers: Counts, offered: Floats, service_s: Floats, variability: Floats) -> Floats:
    """Returns the mean waiting time of requests that wait [queues]; `variability` is c_s^2 of the service time."""
    idle = np.maximum(servers - offered, (1 - MAX_UTILIZATION) * np.maximum(servers, 1))
    return np.asarray((1 + variability) / 2 * service_s / idle)


class WaitSamples:
    """Random waiting and service times of many requests for one ensemble; drawn once and reused by all steps."""

    def __init__(self, rng: np.random.Generator, requests: int, variability: Floats) -> None:
        queues = len(variability)
        correlation = 1 / (1 + variability)
        common, own = rng.standard_normal((requests, 1)), rng.standard_normal((requests, queues))
        rank = _upper_tail(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
        sigma = np.sqrt(np.log1p(variability))
        self._exponential = -np.log(np.maximum(rank, _TINY))
        self._service = np.exp(sigma * rng.standard_normal((requests, queues)) - sigma**2 / 2)

    def times_s(self, first: int, count: int, probability: Floats, delay_s: Floats, service_s: Floats) -> Floats:
        """Returns the seconds from a request to the vote of each model [count, queues], from request `first` on."""
        start = first % (len(self._exponential) - count + 1)
        wait = self._exponential[start : start + count] + np.log(np.maximum(probability, _TINY))
        np.maximum(wait, 0.0, out=wait)
        wait *= delay_s
        wait += self._service[start : start + count] * service_s
        return np.asarray(wait)


def _upper_tail(values: Floats) -> Floats:
    """P(N(0, 1) > x), by Abramowitz and Stegun 26.2.17 (within 7.5e-8)."""
    t = 1 / (1 + 0.2316419 * np.abs(values))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-values * values / 2) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(values < 0, 1 - tail, tail))
