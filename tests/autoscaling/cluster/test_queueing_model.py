"""The queueing model compared with an ideal mesh that is simulated request by request."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.queueing_model import delay_probability
from autoscaling.cluster.simulation_input import Settings
from loadtest.generators import arrivals
from loadtest.simulated.limit import ideal_latencies_s
from loadtest.workloads import S15
from tests.autoscaling.simulated_games import catalog, run

SECONDS = 1800
WITHIN = 0.15
COST = replace(
    ASSUMED,
    base_s=0.0,
    row_s=S15.service.mean_s,
    transport_s=0.0,
    variability=math.expm1(S15.service.sigma**2),
    message_cpu_s=0.0,
    row_cpu_s=0.001,
    pauses=(),
)


@pytest.mark.parametrize("load", S15.loads)
def test_latencies_of_s15_match_the_ideal_mesh(load: float) -> None:
    rate = load * S15.capacity_rps
    due_s = arrivals.poisson(rate, SECONDS, seed=1)
    ideal_s = ideal_latencies_s(due_s, S15.service, S15.models, S15.replicas, np.random.default_rng(1))
    names = [f"m{number:02d}" for number in range(S15.models)]
    four = {"replicas": {"min": S15.replicas, "max": S15.replicas}}
    game = catalog(dict.fromkeys(names, four), quorum=10, budget_ms=5000, reserve_ms=0)
    result = run(game, f"steady:rps={rate},length={SECONDS}", Settings(), COST)
    for share in (0.5, 0.95):
        simulated_s, true_s = result.quantile_s(share), float(np.quantile(ideal_s, share))
        print(f"{load:.0%} load, p{share * 100:g}: {1000 * simulated_s:.1f} ms, ideal {1000 * true_s:.1f} ms")
        assert abs(simulated_s / true_s - 1) < WITHIN


def test_probability_of_waiting_is_erlang_c() -> None:
    # Erlang C of 2 servers at 1 erlang is 1/3, of 10 at 8 is 0.409 (tables)
    found = delay_probability(np.array([2, 10]), np.array([1.0, 8.0]))
    assert found == pytest.approx([1 / 3, 0.409], abs=5e-4)


def test_probability_of_waiting_is_0_without_arrivals() -> None:
    assert delay_probability(np.array([3]), np.array([0.0])).tolist() == [0.0]
