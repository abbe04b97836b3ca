"""The backlog of a panel: how long its models need for the rows that they have, and for new rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

SAMPLE_S = 0.002  # to read the loads of 15 pools takes 10 to 20 us; within this time they hardly change
# A model that needs more than this multiple of the time of the quorum is slower than the panel. It loses its own votes,
# and does not cause the refusal of requests that the other models can answer.
UNEVEN = 2.0


class PoolLoad(NamedTuple):
    """The load of one model: rows that it has and has not answered, replicas that are up, and the time of a row."""

    rows: int
    lanes: int
    row_s: float


class LoadedPool(Protocol):
    """The part of a pool that the backlog reads. `ModelPool` implements it."""

    @property
    def load(self) -> PoolLoad:
        """The present load."""
        ...


class Backlog:
    """The backlog of the `pools` of a panel whose answers need `quorum` votes; reads the loads every `SAMPLE_S`.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, pools: Sequence[LoadedPool], quorum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pools = pools
        self._quorum = quorum
        self._clock = clock
        self._sampled_s = float("-inf")
        self._is_idle = True
        self._departed_rows = 0
        self._arrived_rows = 0
        self._sampled_rows = 0  # the arrived rows that the last sample includes
        self._lines: list[
            tuple[float, float]
        ] = []  # of each model that is up: its time for 0 new rows, and per new row

    def time_s(self, waiting_rows: int, rows: int) -> float:
        """Returns the time until the models have scored `rows` new rows, behind `waiting_rows` that have not departed.

        This is the time of the slowest model, but at most `UNEVEN` times the time of the model that completes the
        quorum. It is 0 if no row waits and no model has rows: a model that is too slow without load does not cause a
        refusal.
        """
        now_s = self._clock()
        if now_s - self._sampled_s >= SAMPLE_S:
            self._sample(now_s)
        ahead = waiting_rows + self._departed_rows - self._sampled_rows
        if self._is_idle and not ahead:
            return 0.0
        all_rows = ahead + rows
        times_s = sorted([start_s + all_rows * per_row_s for start_s, per_row_s in self._lines])
        if len(times_s) <= self._quorum:
            return times_s[-1] if times_s else 0.0
        return min(times_s[-1], UNEVEN * times_s[self._quorum - 1])

    def record_departure(self, rows: int) -> None:
        """Records that `rows` no longer wait, and will arrive at the models."""
        self._departed_rows += rows

    def record_arrival(self, rows: int) -> None:
        """Records that the models receive `rows` that departed."""
        self._arrived_rows += rows

    def _sample(self, now_s: float) -> None:
        loads = [load for pool in self._pools if (load := pool.load).lanes]
        self._sampled_s = now_s
        self._sampled_rows = self._arrived_rows
        self._is_idle = not any(load.rows for load in loads)
        # The last row of a share is served by one replica: one more time of a row.
        self._lines = [(load.rows * load.row_s / load.lanes + load.row_s, load.row_s / load.lanes) for load in loads]
