"""The load of a game over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from autoscaling.cluster.queueing_model import Floats
from mesh.errors import Misconfigured
from mesh.moment import Moment
from mesh.time_column import DAY_S

MAX_RPS = 1e7
_A_MONDAY_S = datetime(2000, 1, 3, tzinfo=UTC).timestamp()
MAX_LENGTH_S = 40 * DAY_S


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second at points in time, interpolated linearly.

    `start_s`: the time of day of the first point. `begin`: the date of the first point, if it is known.
    """

    name: str
    at_s: Floats
    rps: Floats
    start_s: float = 0.0
    begin: Moment | None = None

    @property
    def length_s(self) -> float:
        """The time from the first point to the last."""
        return float(self.at_s[-1])

    def moment(self, at_s: float, zone: ZoneInfo) -> datetime:
        """Returns the time at `at_s` seconds after the start, with a zone.

        Without dates, the load starts on Monday, 3 January 2000; without a zone, its times are those of `zone`.
        """
        if self.begin is not None and self.begin.offset_s is not None:
            return datetime.fromtimestamp(self.begin.epoch_s + at_s, zone)
        begin_s = _A_MONDAY_S + self.start_s if self.begin is None else self.begin.epoch_s
        return datetime.fromtimestamp(begin_s + at_s, UTC).replace(tzinfo=zone)

    def clock(self, at_s: float) -> str:
        """Formats the time of day at `at_s` seconds after the start."""
        whole, several_days = int(self.start_s + at_s), self.start_s + self.length_s > DAY_S
        days, second = divmod(whole, int(DAY_S)) if several_days else (0, whole)  # one day ends at 24:00:00
        time = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        return f"day {days + 1}, {time}" if several_days else time

    def means(self, step_s: float) -> Floats:
        """Returns the mean of each whole step [steps]."""
        edges = np.arange(0.0, self.length_s + step_s / 2, step_s)
        total = np.concatenate([[0.0], np.cumsum(np.diff(self.at_s) * (self.rps[1:] + self.rps[:-1]) / 2)])
        here = np.interp(edges, self.at_s, self.rps)
        before = np.clip(np.searchsorted(self.at_s, edges, side="right") - 1, 0, len(self.at_s) - 1)
        area = total[before] + (edges - self.at_s[before]) * (self.rps[before] + here) / 2
        return np.asarray(np.diff(area) / step_s)


def rate_of(place: str, text: str) -> float:
    """Parses the number `text` at `place`; raises Misconfigured unless it is from 0 to MAX_RPS."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_RPS:
        raise Misconfigured([f"{place}: {text!r} is not a number of at least 0"])
    return value
