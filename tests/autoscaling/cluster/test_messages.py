"""Cohorts and messages in the simulation: their number, their price, and the CPU that they cost a replica."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from autoscaling.cluster.ensemble import Ensemble
from autoscaling.cluster.model_costs import ASSUMED, ModelCosts, PauseCurves
from autoscaling.cluster.simulation_input import Settings
from autoscaling.cluster.supervisor_costs import FEATURES_S, Journey, SupervisorCosts, Supervisors
from mesh.dealing import GRAIN_S, JOURNEYS_SHARE, MAX_MESSAGE_ROWS, MESSAGE_CPU_S, best_messages
from tests.autoscaling.simulated_games import catalog, deployment, run

CHEAP = replace(
    ASSUMED, base_s=0.0001, row_s=0.000002, message_cpu_s=0.0001, row_cpu_s=0.000002, pauses=(), idle_cores=0
)
RESTING = replace(CHEAP, pauses=((0.01, 0.0005), (0.03, 0.0006)))
SLOW_MESSAGE = replace(CHEAP, message_cpu_s=0.001)
SLOW = replace(CHEAP, row_s=0.033, row_cpu_s=0.033)
SUPERVISOR = SupervisorCosts(idle_cores=0.01, message_cpu_s=0.0002, request_cpu_s=0.0001)
JOURNEY = Journey(messages=15, models_cpu_s=15 * 0.0006, models_s=0.001)


def ensemble(cost: ModelCosts, rows: int = 1, models: int = 15) -> Ensemble:
    limits = np.full(models, math.inf)
    return Ensemble([cost] * models, models, rows, limits, math.inf, np.random.default_rng(0))


def cores(cost: ModelCosts, rps: float, replicas: int) -> float:
    """The CPU of a replica of 15 models at `rps`."""
    names = [f"m{number:02d}" for number in range(15)]
    fixed = {f"g-1-{name}": replicas for name in names} | {"g-supervisor": 1}
    result = run(catalog(names), f"steady:rps={rps},length=60", Settings(fixed=fixed), cost)
    return float(deployment(result, "m00").cores[-1]) / replicas


@pytest.mark.parametrize("replicas", [1, 2, 4, 6])
def test_cheap_rows_travel_in_one_message_however_many_replicas_there_are(replicas: int) -> None:
    messages = ensemble(CHEAP, rows=16).messages(100.0, 2.0, np.full(15, replicas))
    assert messages.share == pytest.approx(2.0)
    assert messages.batch == pytest.approx(2.0)


def test_expensive_rows_are_dealt_as_the_supervisor_deals_them() -> None:
    cohort = 3.0
    messages = ensemble(SLOW).messages(10.0, cohort, np.full(15, 40))
    expected = best_messages(cohort * SLOW.row_s, 15)
    assert expected > cohort  # a row is not divided
    assert cohort / messages.share == pytest.approx(cohort)
    messages = ensemble(SLOW, rows=24).messages(10.0, cohort, np.full(15, 40))
    assert cohort / messages.share == pytest.approx(best_messages(24 * cohort * SLOW.row_s, 15))


@pytest.mark.parametrize(("row_s", "replicas", "rows"), [(0.002, 2, GRAIN_S / 0.002), (1e-7, 2, MAX_MESSAGE_ROWS)])
def test_message_has_at_most_a_grain_of_work(row_s: float, replicas: int, rows: float) -> None:
    messages = ensemble(replace(CHEAP, row_s=row_s)).messages(5000.0, 4000.0, np.full(15, replicas))
    assert messages.batch.max() == rows


def test_message_costs_more_after_a_pause() -> None:
    busy, idle = (ensemble(RESTING).messages(rps, 1.0, np.full(15, 1)).cpu_s[0] for rps in (5000.0, 1.0))
    assert busy == pytest.approx(0.0001, rel=0.1)
    assert idle == pytest.approx(0.0007, rel=0.01)


def test_extra_cpu_after_a_pause_is_interpolated() -> None:
    pauses_s = np.array([0.0, 0.005, 0.02, 9.0])
    assert PauseCurves([RESTING] * 4).more_s(pauses_s) == pytest.approx([0.0, 0.00025, 0.00055, 0.0006])
    assert PauseCurves([CHEAP]).more_s(pauses_s[-1:]) == 0.0


@pytest.mark.parametrize(("rps", "most"), [(40, 0.27), (150, 0.35), (600, 0.45)])
def test_more_replicas_relieve_each_replica_but_its_messages_cost_more_after_longer_pauses(
    rps: float, most: float
) -> None:
    assert 0.25 * cores(RESTING, rps, 1) < cores(RESTING, rps, 4) <= most * cores(RESTING, rps, 1)


def test_idle_replica_has_its_idle_cpu() -> None:
    assert cores(replace(RESTING, idle_cores=0.002), 0, 3) == pytest.approx(0.002)


def test_cohort_has_one_request_at_a_low_rate_and_those_of_the_gate_at_a_high_rate() -> None:
    gate_s = FEATURES_S + 0.0001 + 15 * 0.0002 + JOURNEY.models_s
    assert gate_s < 15 * MESSAGE_CPU_S / JOURNEYS_SHARE
    for rps, expected in ((1.0, 1.0), (2000.0, 2000 * gate_s)):
        assert Supervisors(SUPERVISOR, 1, rps, math.inf).cohort(JOURNEY, 1.0) == pytest.approx(expected, rel=0.01)


def test_cohort_departs_when_the_cpu_budget_covers_its_journey() -> None:
    slow = replace(JOURNEY, models_s=1.0)
    gate_s = 15 * MESSAGE_CPU_S / JOURNEYS_SHARE
    assert Supervisors(SUPERVISOR, 1, 2000.0, math.inf).cohort(slow, 1.0) == pytest.approx(2000 * gate_s, rel=0.01)


def test_cohorts_are_larger_if_the_cores_are_the_limit() -> None:
    free, crowded = (Supervisors(SUPERVISOR, 1, 400.0, cores).cohort(JOURNEY, 1.0) for cores in (math.inf, 1.0))
    assert crowded == pytest.approx(400 * (FEATURES_S + 15 * 0.0002 + 0.0001 + JOURNEY.models_cpu_s), rel=0.01)
    assert crowded > 1.5 * free


def test_supervisor_pays_for_messages_requests_and_idling() -> None:
    found = Supervisors(SUPERVISOR, 2, 100.0, math.inf).load(JOURNEY, 2.0)
    assert found.cores == pytest.approx(0.01 + 50 * (0.0001 + 15 * 0.0002 / 2))


def test_two_versions_share_the_departures() -> None:
    def cores_of(*traffic: int) -> list[float]:
        """The CPU of the model of each version at 1,000 requests a second."""
        block = {"models": [{"name": "whales", "uri": "s3://m/m.txt"}], "combine": {"quorum": 1}}
        versions = {str(number): block | {"traffic": share} for number, share in enumerate(traffic)}
        fixed = {f"g-{name}-whales": 1 for name in versions} | {"g-supervisor": 1}
        result = run(catalog(versions=versions), "steady:rps=1000,length=60", Settings(fixed=fixed), SLOW_MESSAGE)
        return [float(one.cores[-1]) for one in result.deployments if one.name.endswith("whales")]

    (alone,) = cores_of(100)
    assert cores_of(50, 50) == pytest.approx([alone / 2] * 2, rel=0.05)
