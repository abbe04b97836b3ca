"""The bounded queue and the one thread that predicts all that waits, and never waits while it is idle."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from queue import SimpleQueue

from mesh.errors import MeshError, Overloaded, Unavailable
from mesh.starvation import CpuStarvation
from model_worker.batch import Batch, Outcome, Scored, Work, predict_batch
from model_worker.forest import Forest


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """`max_batch_rows` of one predict call; `max_queue_rows` admitted and not yet answered."""

    max_batch_rows: int
    max_queue_rows: int


class PredictQueue:
    """Admits work on the loop, predicts on one thread, settles on the loop.

    Whatever befalls the forest, a caller or the thread, what was admitted is settled, and once. `record`
    sees each batch after it was settled. Made by `running_queue`.
    """

    def __init__(self, forest: Forest, limits: QueueLimits, record: Callable[[Batch], None]) -> None:
        self._forest = forest
        self._limits = limits
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._admitted: set[Work] = set()
        self._rows = 0
        self._refusal: str | None = None
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._held: Work | None = None
        self._last_seen = False
        self._ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def in_flight(self) -> int:
        """Requests admitted and not yet answered."""
        return len(self._admitted)

    def submit(self, work: Work) -> None:
        """Admits `work`, or refuses at once: `Overloaded` without room for its rows, `Unavailable` at the end."""
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        if self._rows + work.count > self._limits.max_queue_rows:
            raise Overloaded(f"the queue is full: {self._rows} of {self._limits.max_queue_rows} rows")
        self._rows += work.count
        self._admitted.add(work)
        self._waiting.put(work)

    def close(self) -> None:
        """Refuses from now on; what was admitted is still answered."""
        if self._refusal is None:
            self._refusal = "draining: no new work is taken"
            self._waiting.put(None)

    async def ended(self) -> None:
        """Returns when all is settled for good: after `close`, or should the thread die of a bug."""
        await asyncio.shield(self._ended)

    async def drain(self, drain_s: float) -> None:
        """Closes; what is not answered after `drain_s` is settled as `Unavailable`. Once more does nothing."""
        self.close()
        try:
            async with asyncio.timeout(drain_s):
                await self.ended()
        except TimeoutError:
            self._end()

    def run(self) -> None:
        """The predict thread."""
        try:
            starvation = CpuStarvation()
            while works := self._take_all():
                self._tell(self._settle, predict_batch(self._forest, works, starvation.share()))
        finally:
            self._tell(self._end)

    def _tell(self, callback: Callable[..., None], *arguments: Batch) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: all was abandoned
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _take_all(self) -> list[Work]:
        """Waits for work, then takes what is there, as far as it fits a batch; nothing at the very end."""
        work = self._held or (None if self._last_seen else self._waiting.get())
        self._held = None
        works: list[Work] = []
        room = self._limits.max_batch_rows
        while work is not None:
            if works and work.count > room:
                self._held = work
                return works
            works.append(work)
            room -= work.count
            if self._waiting.empty():
                return works
            work = self._waiting.get()
        self._last_seen = True
        return works

    def _settle(self, batch: Batch) -> None:
        for work, outcome in batch.outcomes:
            if work in self._admitted:
                self._admitted.remove(work)
                self._rows -= work.count
                work.waiter.settle(outcome)
        self._record(batch)

    def _end(self) -> None:
        self._refusal = self._refusal or "the predict thread has died"
        while self._admitted:
            self._admitted.pop().waiter.settle(Unavailable("the worker stopped before it came to this"))
        if not self._ended.done():
            self._ended.set_result(None)


class CallWaiter:
    """One caller that waits for its outcome; it is gone when its task was cancelled."""

    def __init__(self) -> None:
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def gone(self) -> bool:
        """Whether the caller was cancelled, or has its outcome."""
        return self._future.done()

    def settle(self, outcome: Outcome) -> None:
        """Wakes the caller."""
        if not self._future.done():
            self._future.set_result(outcome)

    async def scored(self) -> Scored:
        """Waits for the scores; raises the `MeshError` that came instead."""
        outcome = await self._future
        if isinstance(outcome, MeshError):
            raise outcome
        return outcome


@contextlib.asynccontextmanager
async def running_queue(
    forest: Forest, limits: QueueLimits, record: Callable[[Batch], None], drain_s: float
) -> AsyncIterator[PredictQueue]:
    """A queue and its thread for as long as the block lasts; at its end up to `drain_s` to answer the rest."""
    queue = PredictQueue(forest, limits, record)
    # A daemon: a predict call that hangs must not keep the process.
    thread = threading.Thread(target=queue.run, name="predict", daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        await queue.drain(drain_s)
        await asyncio.to_thread(thread.join, drain_s)
