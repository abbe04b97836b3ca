"""The bounded queue, and the thread that predicts all queued requests in one batch as soon as it is idle.

A request that takes less time than its way to the thread and back is scored on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from mesh import serving
from mesh.errors import MeshError, Overloaded, Unavailable
from mesh.starvation import CpuStarvation
from model_worker.batch import Batch, Outcome, Scored, Work, predict_batch
from model_worker.forest import Forest
from model_worker.row_costs import RowCosts
from model_worker.tracing import MessageTrace

DRAINING = "draining: this worker accepts no new work"


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The maximum rows of one predict call, and the maximum rows that are admitted and not yet answered.

    `max_on_loop_ns` limits the CPU time of a request that is scored on the event loop; 0 scores all on the thread.
    """

    max_batch_rows: int
    max_queue_rows: int
    max_on_loop_ns: int = 0


class Starvation(Protocol):
    """The CPU starvation of the thread that made it."""

    def share(self) -> float:
        """Returns the share of time that the thread waits for a CPU, 0 to 1."""


class PredictQueue:
    """Admits work on the event loop, predicts on one thread, and settles on the event loop.

    Work is scored on the event loop instead if no other work is admitted and it takes less than `max_on_loop_ns`. The
    forest is never used on two threads at the same time: without admitted work, the thread waits for work.
    All admitted work is settled exactly once, even if the forest, a caller or the thread fails. `record` receives each
    batch after it is settled. `starvation` is called on each of the two threads. `running_queue` makes the queue.
    """

    def __init__(
        self,
        forest: Forest,
        limits: QueueLimits,
        record: Callable[[Batch], None],
        starvation: Callable[[], Starvation] = CpuStarvation,
    ) -> None:
        self._forest = forest
        self._limits = limits
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._admitted: set[Work] = set()
        self._rows = 0
        self._costs = RowCosts()
        self._measure_starvation = starvation
        self._loop_starvation = starvation()
        self._loop_starved = 0.0
        self._refusal: str | None = None
        self._queued: SimpleQueue[Work | None] = SimpleQueue()
        self._postponed: Work | None = None
        self._reached_end = False
        self._ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def in_flight(self) -> int:
        """The number of requests that are admitted and not yet answered."""
        return len(self._admitted)

    def submit(self, work: Work) -> None:
        """Admits `work`. Raises `Overloaded` if the queue has no space for its rows, `Unavailable` if it is closed."""
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        if self._rows + work.count > self._limits.max_queue_rows:
            raise Overloaded(f"the queue is full: {self._rows} of {self._limits.max_queue_rows} rows")
        self._loop_starved = self._loop_starvation.share()
        on_loop = not self._admitted and self._costs.estimate_ns(work) < self._limits.max_on_loop_ns
        self._rows += work.count
        self._admitted.add(work)
        if on_loop:
            self._settle(predict_batch(self._forest, [work], self._loop_starved))
        else:
            self._queued.put(work)

    def close(self) -> None:
        """Refuses new work; admitted work is still answered."""
        if self._refusal is None:
            self._refusal = DRAINING
            self._queued.put(None)

    async def ended(self) -> None:
        """Returns when all work is settled and no more follows: after `close`, or if a bug ends the thread."""
        await asyncio.shield(self._ended)

    async def drain(self, drain_s: float) -> None:
        """Closes the queue, and settles work that is not answered after `drain_s` as `Unavailable`. Idempotent."""
        self.close()
        try:
            async with asyncio.timeout(drain_s):
                await self.ended()
        except TimeoutError:
            self._end()

    def run(self) -> None:
        """The predict thread."""
        serving.name_thread("predict")
        try:
            starvation = self._measure_starvation()
            while works := self._take_all():
                starved = max(starvation.share(), self._loop_starved)
                self._call_on_loop(self._settle, predict_batch(self._forest, works, starved))
        finally:
            self._call_on_loop(self._end)

    def _call_on_loop(self, callback: Callable[..., None], *arguments: Batch) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no caller waits
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _take_all(self) -> list[Work]:
        """Waits for work, then returns all queued work that fits into a batch; an empty list after the last work."""
        work = self._postponed or (None if self._reached_end else self._queued.get())
        self._postponed = None
        works: list[Work] = []
        space = self._limits.max_batch_rows
        while work is not None:
            if works and work.count > space:
                self._postponed = work
                return works
            works.append(work)
            space -= work.count
            if self._queued.empty():
                return works
            work = self._queued.get()
        self._reached_end = True
        return works

    def _settle(self, batch: Batch) -> None:
        for work, outcome in batch.outcomes:
            if work in self._admitted:
                self._admitted.remove(work)
                self._rows -= work.count
                work.waiter.settle(outcome)
        self._costs.learn(batch)
        self._record(batch)

    def _end(self) -> None:
        self._refusal = self._refusal or "the predict thread has ended because of a bug"
        while self._admitted:
            self._admitted.pop().waiter.settle(Unavailable("the worker stopped before it scored this request"))
        if not self._ended.done():
            self._ended.set_result(None)


class CallWaiter:
    """A caller that waits for its outcome. It is gone when its task is cancelled."""

    def __init__(self, trace: MessageTrace | None = None) -> None:
        self._trace = trace
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def gone(self) -> bool:
        """Whether the caller is cancelled, or has its outcome."""
        return self._future.done()

    def settle(self, outcome: Outcome) -> None:
        """Wakes the caller."""
        if self._trace is not None:
            self._trace.end(outcome)
        if not self._future.done():
            self._future.set_result(outcome)

    async def scored(self) -> Scored:
        """Waits for the scores; raises the `MeshError` if that is the outcome."""
        outcome = await self._future
        if isinstance(outcome, MeshError):
            raise outcome
        return outcome


@contextlib.asynccontextmanager
async def running_queue(
    forest: Forest,
    limits: QueueLimits,
    record: Callable[[Batch], None],
    drain_s: float,
    starvation: Callable[[], Starvation] = CpuStarvation,
) -> AsyncIterator[PredictQueue]:
    """Runs a queue and its thread while the block lasts, then drains it for up to `drain_s`."""
    queue = PredictQueue(forest, limits, record, starvation)
    # A daemon: a predict call that hangs must not keep the process alive.
    thread = threading.Thread(target=queue.run, name="predict", daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        await queue.drain(drain_s)
        await asyncio.to_thread(thread.join, drain_s)
