"""How long requests wait for models: one queue before each model's replicas, the same arrivals at all of them.

The probability of a wait is Erlang's C; who waits does so exponentially, with the mean of Allen and Cunneen (1978) for
general service times. All models of an ensemble get the same arrivals, so their waits go together: in heavy traffic the
queues of a fork are driven by Brownian motions with correlation c_a^2 / (c_a^2 + c_s^2), for arrivals of variability
c_a^2 (Poisson: 1) and service times of c_s^2 (Nguyen 1993, Processing networks with parallel and sequential tasks). A
Gaussian copula lays that correlation over the waits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int_]

BUSIEST = 0.995  # of a queue in equilibrium within a step; what is above is counted as a backlog
_LEAST = 1e-9


def delay_probability(servers: Counts, offered: Floats) -> Floats:
    """Erlang's C [queues]: the share of arrivals that find all `servers` busy; `offered` is the load in servers."""
    offered = np.minimum(offered, BUSIEST * servers)
    blocked = np.ones(len(offered))
    result = np.ones(len(offered))
    for count in range(1, int(servers.max(initial=0)) + 1):
        blocked = offered * blocked / (count + offered * blocked)
        here = servers == count
        if here.any():
            result[here] = (blocked / (1 - offered / count * (1 - blocked)))[here]
    return result


def mean_delay_s(servers: Counts, offered: Floats, service_s: Floats, variability: Floats) -> Floats:
    """Seconds that one who waits does so in the mean [queues]; `variability` is the service time's c_s^2."""
    idle = np.maximum(servers - offered, (1 - BUSIEST) * np.maximum(servers, 1))
    return np.asarray((1 + variability) / 2 * service_s / idle)


class Draws:
    """The luck of many requests at the queues of one ensemble, drawn once; steps take turns with it."""

    def __init__(self, rng: np.random.Generator, requests: int, variability: Floats) -> None:
        queues = len(variability)
        together = 1 / (1 + variability)
        common, own = rng.standard_normal((requests, 1)), rng.standard_normal((requests, queues))
        rank = _upper_tail(np.sqrt(together) * common + np.sqrt(1 - together) * own)
        sigma = np.sqrt(np.log1p(variability))
        self._patience = -np.log(np.maximum(rank, _LEAST))
        self._service = np.exp(sigma * rng.standard_normal((requests, queues)) - sigma**2 / 2)

    def times_s(self, first: int, count: int, probability: Floats, delay_s: Floats, service_s: Floats) -> Floats:
        """Seconds from asking each model to its vote [count, queues], of `count` requests from the `first` on."""
        start = first % (len(self._patience) - count + 1)
        wait = self._patience[start : start + count] + np.log(np.maximum(probability, _LEAST))
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
