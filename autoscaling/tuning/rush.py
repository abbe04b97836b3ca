"""Finds the rush of a daily load, which rises faster than an HPA follows, and the window that covers the rise.

After the rise, the HPA keeps the replicas by itself, so the window is short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from autoscaling.cluster.load import Load
from mesh.catalog.deployment.schedules import Schedule

STEP_S = 300.0
RISE_STEPS = 3  # an HPA needs several ticks, and the pods their start
RISE = 1.5  # the load rises by more than half within RISE_STEPS
BUSY = 0.5  # ... to at least this share of its peak
AHEAD_S = 900.0  # the window begins this much before the rise
RISEN = 0.9  # the rise ends when the load reaches this share of its peak
SHORTEST_S = 20 * 3600.0  # a shorter load does not show what a day looks like
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Rush:
    """The window of a rush: its begin as cron, and its length. `risen_s` is the end of the rise in the load."""

    risen_s: float
    hours: int
    cron: str

    def schedule(self, replicas: int) -> Schedule:
        """Returns the daily window with `replicas`; its time zone is UTC."""
        return Schedule(cron=self.cron, tz="UTC", hours=self.hours, min=replicas)


def rush_of(load: Load) -> Rush | None:
    """Returns the steepest rise of a load of a day or more; None if an HPA can follow the load."""
    rates = load.means(STEP_S)
    if load.length_s < SHORTEST_S or len(rates) <= RISE_STEPS:
        return None
    before, after = rates[:-RISE_STEPS], rates[RISE_STEPS:]
    busy = after >= BUSY * rates.max()
    rises = np.where(busy, after / np.maximum(before, 1e-9), 0.0)
    first = int(rises.argmax())
    if rises[first] < RISE:
        return None
    high = np.flatnonzero(rates[first:] >= RISEN * rates[first:].max())
    risen_s = STEP_S * (first + int(high[0]) + 1)
    begin_s = max(0.0, math.floor((STEP_S * first - AHEAD_S) / 900) * 900.0)
    begin = load.moment(begin_s, _UTC)
    return Rush(risen_s, math.ceil((risen_s - begin_s) / 3600), f"{begin.minute} {begin.hour} * * *")
