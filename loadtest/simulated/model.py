"""A model's replica that only takes its time: one row after the other, each for a drawn while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.simulated.service_times import ServiceTimes

DRAWN_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Service:
    """When a message is served, in the clock of whoever asked."""

    arrived_s: float
    start_s: float
    end_s: float


class SimulatedReplica:
    """First come, first served, one row at a time; knows no clock but the moments it is told."""

    def __init__(self, service: ServiceTimes, rng: np.random.Generator) -> None:
        self._needed_s = endless_s(service, rng)
        self._free_s = float("-inf")

    def serve(self, arrived_s: float, rows: int) -> Service:
        """Takes in a message of `rows` rows. Moments are absolute, so no lateness adds up over messages."""
        start_s = max(arrived_s, self._free_s)
        self._free_s = start_s + sum(next(self._needed_s) for _ in range(rows))
        return Service(arrived_s, start_s, self._free_s)


def endless_s(service: ServiceTimes, rng: np.random.Generator) -> Iterator[float]:
    """Independent service times, drawn many at once."""
    while True:
        yield from service.draw(rng, DRAWN_AT_ONCE).tolist()
