"""The shapes of the scenarios: the share of the peak users at each share of the run time."""

from __future__ import annotations

import math
from collections.abc import Callable

RUN_TIME_S = 300.0  # without --run-time
USERS = 50  # without --users
STEPS = 10
NIGHT = 0.25  # share of the evening peak
PEAK_HOUR = 20.0
SPIKE_BEGINS, SPIKE_ENDS = 0.4, 0.6


def steady(_: float) -> float:
    """The peak all the time."""
    return 1.0


def step(share: float) -> float:
    """Ten equal steps up to the peak."""
    return min(STEPS, math.floor(share * STEPS) + 1) / STEPS


def spike(share: float) -> float:
    """A fifth of the peak; the whole peak from 40 % to 60 % of the run time."""
    return 1.0 if SPIKE_BEGINS <= share < SPIKE_ENDS else 0.2


def day(share: float) -> float:
    """One day, midnight to midnight, with the peak at eight in the evening."""
    hour = share * 24
    wave = (1 + math.cos((hour - PEAK_HOUR) * math.tau / 24)) / 2
    return NIGHT + (1 - NIGHT) * wave


SHAPES: dict[str, Callable[[float], float]] = {
    "steady": steady,
    "step": step,
    "spike": spike,
    "day": day,
    "mixed": steady,
}


def users_at(scenario: str, elapsed_s: float, run_time_s: float, peak: int) -> int:
    """The number of users of `scenario` after `elapsed_s` of `run_time_s`, at least one."""
    return max(1, round(peak * SHAPES[scenario](elapsed_s / run_time_s)))
