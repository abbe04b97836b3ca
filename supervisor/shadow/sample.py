"""Samples: answered requests that a shadow scores again, and the queue in which they wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.players.features import Columns, PlayerFeatures
from supervisor.rows import Passenger
from supervisor.shadow.metrics import Outcome
from supervisor.shadow.target import Pair, ShadowTarget

MAX_SAMPLES = 256
MAX_ROWS = 32_768
MAX_AGE_S = 60.0  # an older sample is dropped: the comparison needs a fair share of the requests, not all


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One answered request: the player as read, its context and candidates, and the scores of the answer [rows].

    `is_ranked` is false for a request of one score. `fan_out_s` is the time in which the panel voted for the answer,
    and `is_partial` whether votes were missing. `sampled_s` is monotonic.
    """

    pair: Pair
    columns: Columns
    player: PlayerFeatures | None
    passenger: Passenger
    scores: NDArray[np.float64]
    is_ranked: bool
    is_partial: bool
    fan_out_s: float
    sampled_s: float


class SampleQueue:
    """A bounded queue of samples by target; the targets take turns. `clock` is monotonic, in seconds.

    `take` drops samples that are older than `MAX_AGE_S`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: dict[ShadowTarget, deque[Sample]] = {}
        self._count = 0
        self._rows = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another sample."""
        return self._count >= MAX_SAMPLES or self._rows >= MAX_ROWS

    def add(self, sample: Sample) -> None:
        """Queues `sample`. Check `is_full` before."""
        self._samples.setdefault(sample.pair.target, deque()).append(sample)
        self._count += 1
        self._rows += len(sample.scores)
        self._filled.set()

    async def gathered(self, gather_s: float) -> None:
        """Returns when a sample has been queued for `gather_s`, so that others can join it."""
        await self._filled.wait()
        oldest_s = next(iter(self._samples.values()))[0].sampled_s
        await asyncio.sleep(max(0.0, oldest_s + gather_s - self._clock()))

    def take(self, max_rows: Callable[[ShadowTarget], int], max_samples: int) -> Sequence[Sample]:
        """Removes and returns samples of one target, read with the same columns; counts those that are too old.

        Together they have at most `max_rows` of the target, but there is at least one if any is fresh.
        """
        oldest_s = self._clock() - MAX_AGE_S
        taken: list[Sample] = []
        while self._samples and not taken:
            target, queue = next(iter(self._samples.items()))
            space = max_rows(target)
            while queue and len(taken) < max_samples:
                head = queue[0]
                if head.sampled_s < oldest_s:
                    self._drop(queue).pair.metrics.count(Outcome.EXPIRED)
                    continue
                if taken and (len(head.scores) > space or head.columns is not taken[0].columns):
                    break
                taken.append(self._drop(queue))
                space -= len(head.scores)
            del self._samples[target]
            if queue:
                self._samples[target] = queue  # at the end: it is the next target's turn
        if not self._count:
            self._filled.clear()
        return taken

    def _drop(self, queue: deque[Sample]) -> Sample:
        sample = queue.popleft()
        self._count -= 1
        self._rows -= len(sample.scores)
        return sample
