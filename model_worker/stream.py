"""The results of one stream: settled in any order, written one at a time, bounded if the client does not read."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from mesh.errors import MeshError
from model_worker.batch import Outcome, Scored
from model_worker.tensors import DecodedRequest
from model_worker.tracing import MessageTrace

MAX_UNWRITTEN = 1024


class ScoredRequest(NamedTuple):
    """The scores of one message of the stream."""

    request_id: str
    decoded: DecodedRequest
    scored: Scored


class RefusedRequest(NamedTuple):
    """The error of one message of the stream: it was refused, expired or failed."""

    request_id: str
    error: MeshError


class Outbox:
    """The results that are to be written to one stream.

    The reader of the stream calls `expect` for each message that it admits, and `finish` at the end. The writer takes
    results by `next`. While `MAX_UNWRITTEN` results are queued, `space` does not return: the reader stops until the
    client reads.
    """

    def __init__(self) -> None:
        self.gone = False
        self._results: deque[ScoredRequest | RefusedRequest] = deque()
        self._expected = 0
        self._finished = False
        self._changed = asyncio.Event()
        self._has_space = asyncio.Event()
        self._has_space.set()

    def expect(self) -> None:
        """Announces one more result."""
        self._expected += 1

    def deliver(self, result: ScoredRequest | RefusedRequest) -> None:
        """Queues a result that was announced."""
        self._expected -= 1
        self._results.append(result)
        self._changed.set()
        if len(self._results) >= MAX_UNWRITTEN:
            self._has_space.clear()

    def finish(self) -> None:
        """Declares that no more results are announced."""
        self._finished = True
        self._changed.set()

    async def space(self) -> None:
        """Returns when fewer than `MAX_UNWRITTEN` results are queued."""
        await self._has_space.wait()

    async def next(self) -> ScoredRequest | RefusedRequest | None:
        """Returns the next result to write; None after the last one. If it is cancelled, no result is lost."""
        while not self._results:
            if self._finished and not self._expected:
                return None
            self._changed.clear()
            await self._changed.wait()
        result = self._results.popleft()
        if len(self._results) < MAX_UNWRITTEN:
            self._has_space.set()
        return result


@dataclass(frozen=True, slots=True)
class StreamWaiter:
    """One message of a stream that waits for its outcome."""

    outbox: Outbox
    request_id: str
    decoded: DecodedRequest
    trace: MessageTrace | None = None

    @property
    def gone(self) -> bool:
        """Whether the stream has ended."""
        return self.outbox.gone

    def settle(self, outcome: Outcome) -> None:
        """Delivers the outcome to the outbox."""
        if self.trace is not None:
            self.trace.end(outcome)
        if isinstance(outcome, Scored):
            self.outbox.deliver(ScoredRequest(self.request_id, self.decoded, outcome))
        else:
            self.outbox.deliver(RefusedRequest(self.request_id, outcome))
