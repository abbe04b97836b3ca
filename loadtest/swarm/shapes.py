"""How many users there are as a scenario goes on: the share of the peak at each share of the run time."""

from __future__ import annotations

import math
from collections.abc import Callable

STEPS = 10
NIGHT = 0.25  # of the evening's peak: players sleep, and some live elsewhere
PEAK_HOUR = 20.0
SPIKE_BEGINS, SPIKE_ENDS = 0.4, 0.6


def steady(moment: float) -> float:
    """The same all the time."""
    return min(1.0, 1.0 + 0.0 * moment)


def step(moment: float) -> float:
    """Ten equal steps up to the peak: the knee is where latencies leave the ground."""
    return min(STEPS, math.floor(moment * STEPS) + 1) / STEPS


def spike(moment: float) -> float:
    """A fifth, and at 40 % of the time everybody logs in at once, for a fifth of the time."""
    return 1.0 if SPIKE_BEGINS <= moment < SPIKE_ENDS else 0.2


def day(moment: float) -> float:
    """One day, midnight to midnight, with its peak at eight in the evening."""
    hour = moment * 24
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
    """The users of `scenario` after `elapsed_s` of `run_time_s`, at least one."""
    return max(1, round(peak * SHAPES[scenario](elapsed_s / run_time_s)))
