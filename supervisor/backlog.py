"""The backlog of a panel: how long its models need for the rows that they have, and for new rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(slots=True, eq=False)
class RowCount:
    """Counts the rows of one version: those that no longer wait, and those of them that the models have received."""

    departed: int = 0
    arrived: int = 0


class Asked(NamedTuple):
    """Pools that the same versions ask; `rows` has the count of each of the versions."""

    pools: Sequence[LoadedPool]
    rows: Mapping[str, RowCount]


class _Sample(NamedTuple):
    """The loads of `Asked` pools at one time."""

    rows: Mapping[str, RowCount]
    arrived_rows: int  # the arrived rows that the loads include
    lines: list[tuple[float, float]]  # of each model that is up: its time for 0 new rows, and per new row


class Backlog:
    """The backlog of the panel of one version, whose answers need `quorum` votes; reads the loads every `SAMPLE_S`.

    `asked` are the pools of the panel: the rows of other versions delay only the pools that these versions ask too.
    `clock` is monotonic, in seconds.
    """

    def __init__(self, asked: Sequence[Asked], quorum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = asked
        self._quorum = quorum
        self._clock = clock
        self._sampled_s = float("-inf")
        self._is_idle = True
        self._samples: list[_Sample] = []

    def time_s(self, waiting_rows: Mapping[str, int], rows: int) -> float:
        """Returns the time until the models have scored `rows` new rows, behind all rows before them.

        `waiting_rows`, by version, have not departed. The result is the time of the slowest model, but at most `UNEVEN`
        times the time of the model that completes the quorum. It is 0 if no row waits and no model has rows: a model
        that is too slow without load does not cause a refusal.
        """
        self._sample_if_due()
        is_first = self._is_idle
        times_s: list[float] = []
        for sample in self._samples:
            ahead = -sample.arrived_rows
            for version, count in sample.rows.items():
                ahead += waiting_rows.get(version, 0) + count.departed
            is_first = is_first and not ahead
            all_rows = ahead + rows
            times_s += [start_s + all_rows * per_row_s for start_s, per_row_s in sample.lines]
        if is_first or not times_s:
            return 0.0
        times_s.sort()
        if len(times_s) <= self._quorum:
            return times_s[-1]
        return min(times_s[-1], UNEVEN * times_s[self._quorum - 1])

    def room_rows(self, within_s: float) -> float:
        """Returns how many rows may depart now so that the models have scored them `within_s`.

        The opposite of `time_s` without waiting rows: at most 0 if the models need that time for the rows that they
        have, and infinite if they have none.
        """
        self._sample_if_due()
        is_first, rooms = self._is_idle, list[tuple[float, float]]()
        for sample in self._samples:
            ahead = sum([count.departed for count in sample.rows.values()]) - sample.arrived_rows
            is_first = is_first and not ahead
            rooms += [
                ((within_s - start_s) / row_s - ahead, (within_s / UNEVEN - start_s) / row_s - ahead)
                for start_s, row_s in sample.lines
            ]
        if is_first or not rooms:
            return math.inf
        slowest = min(room for room, _ in rooms)
        if len(rooms) <= self._quorum:
            return slowest
        return max(slowest, sorted([room for _, room in rooms], reverse=True)[self._quorum - 1])

    def _sample_if_due(self) -> None:
        now_s = self._clock()
        if now_s - self._sampled_s >= SAMPLE_S:
            self._sample(now_s)

    def _sample(self, now_s: float) -> None:
        self._sampled_s = now_s
        self._is_idle = True
        self._samples = []
        for pools, rows in self._asked:
            loads = [load for pool in pools if (load := pool.load).lanes]
            self._is_idle = self._is_idle and not any(load.rows for load in loads)
            # The last row of a share is served by one replica: one more time of a row.
            lines = [(load.rows * load.row_s / load.lanes + load.row_s, load.row_s / load.lanes) for load in loads]
            self._samples.append(_Sample(rows, sum([count.arrived for count in rows.values()]), lines))
