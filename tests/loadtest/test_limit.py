from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from loadtest.generators.arrivals import poisson
from loadtest.simulated.limit import ideal_latencies_s, queue_latencies_s
from loadtest.simulated.service_times import Lognormal, Seconds


@dataclass(frozen=True)
class Exponential:
    mean_s: float

    def draw(self, rng: np.random.Generator, rows: int) -> Seconds:
        return rng.exponential(self.mean_s, rows)


def test_row_waits_for_the_first_free_server() -> None:
    arrivals_s = np.array([0.0, 0.0, 1.0, 10.0])
    needed_s = np.array([5.0, 3.0, 1.0, 2.0])
    assert queue_latencies_s(arrivals_s, needed_s, 2).tolist() == [5.0, 3.0, 3.0, 2.0]


def test_slowest_of_15_idle_models_has_the_percentiles_of_the_design() -> None:
    service = Lognormal(median_s=0.033, sigma=0.15)
    latencies_s = ideal_latencies_s(np.arange(40_000.0), service, 15, 4, np.random.default_rng(1))
    assert np.percentile(latencies_s, [50, 95]) * 1000 == pytest.approx([42.5, 49.5], rel=0.01)


def test_mean_wait_for_four_servers_is_that_of_erlang_c() -> None:
    servers, load = 4, 0.7
    arrivals_s = poisson(servers * load, 40_000.0, seed=2)
    latencies_s = ideal_latencies_s(arrivals_s, Exponential(1.0), 1, servers, np.random.default_rng(3))
    assert latencies_s.mean() - 1.0 == pytest.approx(_erlang_c(servers, load) / (servers * (1 - load)), rel=0.05)


def _erlang_c(servers: int, load: float) -> float:
    offered = servers * load
    waiting = offered**servers / math.factorial(servers) / (1 - load)
    return waiting / (sum(offered**k / math.factorial(k) for k in range(servers)) + waiting)
