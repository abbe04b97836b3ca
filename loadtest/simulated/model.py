"""A simulated replica: it takes a drawn time for each row, one row after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loadtest.simulated.service_times import ServiceTimes

DRAWN_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Service:
    """The times of a message, on the clock of the caller."""

    arrived_s: float
    start_s: float
    end_s: float


class SimulatedReplica:
    """First come, first served, one row at a time; has no clock of its own, only the times that it receives."""

    def __init__(self, service: ServiceTimes, rng: np.random.Generator) -> None:
        self._needed_s = endless_s(service, rng)
        self._free_s = float("-inf")

    def serve(self, arrived_s: float, rows: int) -> Service:
        """Accepts a message of `rows` rows. Times are absolute, so lateness does not add up over messages."""
        start_s = max(arrived_s, self._free_s)
        self._free_s = start_s + sum(next(self._needed_s) for _ in range(rows))
        return Service(arrived_s, start_s, self._free_s)


def endless_s(service: ServiceTimes, rng: np.random.Generator) -> Iterator[float]:
    """An endless iterator of independent service times, drawn in blocks."""
    while True:
        yield from service.draw(rng, DRAWN_AT_ONCE).tolist()
