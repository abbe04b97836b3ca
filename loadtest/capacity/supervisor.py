"""Measures the CPU of a supervisor: idle, for each message, and for each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from autoscaling.capacity_profile import SupervisorProfile
from loadtest.errors import CannotMeasure
from loadtest.run.job import Question
from loadtest.scaling.measure import IDLE, Plan, Use, measure

RATES = (IDLE, 40.0, 150.0, 400.0, 1200.0)  # cohorts have one request at the second rate, and many at the last
SECONDS = 8.0
LEAST_FULL = 0.99  # the share of full answers; above the capacity, a request that is refused costs less


async def measure_supervisor(
    catalog: Path, question: Question, models: int, logs: Path, progress: Callable[[str], None]
) -> SupervisorProfile:
    """The costs of a supervisor of `mesh up`, with one replica of each of the `models` that answer `question`."""
    plan = Plan(catalog, (1,), RATES, SECONDS, seed=0)
    return costs_of(await measure(plan, question, logs, progress), models)


def costs_of(uses: Sequence[Use], models: int) -> SupervisorProfile:
    """The costs that explain the CPU at the idle rate and at the other rates, by least squares of relative errors.

    With one replica, a cohort is one message for each model. No cost is below 0. Rates at which the mesh is overloaded
    do not count; raises CannotMeasure if fewer than two rates are left.
    """
    idle = next(use.supervisor for use in uses if use.rate_rps == IDLE)
    loaded = [use for use in uses if use.rate_rps != IDLE and use.full >= LEAST_FULL]
    if len(loaded) < 2:
        raise CannotMeasure(
            f"fewer than two rates of {RATES[1:]} per second have full answers; profile a quieter machine"
        )
    cores = np.array([use.supervisor - idle for use in loaded])
    messages = np.array([use.cohorts_rps * models for use in loaded])
    requests = np.array([use.requests_rps for use in loaded])
    design = np.column_stack([messages, requests]) / cores[:, None]
    (message_s, request_s), *_ = np.linalg.lstsq(design, np.ones(len(loaded)), rcond=None)
    if request_s < 0:  # noise; then all CPU is that of messages
        message_s, request_s = 1 / np.mean(messages / cores), 0.0
    return SupervisorProfile(
        idle_cores=idle, message_cpu_us=float(message_s) * 1e6, request_cpu_us=float(request_s) * 1e6
    )
