"""The answers of one stream: settled in any order, written one at a time, bounded when nobody reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from mesh.errors import MeshError
from model_worker.batch import Outcome, Scored
from model_worker.tensors import Question

MAX_UNWRITTEN = 1024


class Answer(NamedTuple):
    """Scores on their way to the client."""

    request_id: str
    question: Question
    scored: Scored


class Refusal(NamedTuple):
    """An error about one message, on its way to the client."""

    request_id: str
    error: MeshError


class Outbox:
    """What waits to be written to one stream.

    A reader calls `expect` for what it admits and `finish` at its end; the writer takes the answers by
    `next`. While `MAX_UNWRITTEN` wait, `room` does not return: the reader stops until the client reads.
    """

    def __init__(self) -> None:
        self.gone = False
        self._answers: deque[Answer | Refusal] = deque()
        self._under_way = 0
        self._finished = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def expect(self) -> None:
        """One more answer is under way."""
        self._under_way += 1

    def deliver(self, answer: Answer | Refusal) -> None:
        """The answer that was expected is here."""
        self._under_way -= 1
        self._answers.append(answer)
        self._changed.set()
        if len(self._answers) >= MAX_UNWRITTEN:
            self._room.clear()

    def finish(self) -> None:
        """No more answers will be expected."""
        self._finished = True
        self._changed.set()

    async def room(self) -> None:
        """Returns when fewer than `MAX_UNWRITTEN` answers wait."""
        await self._room.wait()

    async def next(self) -> Answer | Refusal | None:
        """The next answer to write; None after the last one. Cancelling it loses nothing."""
        while not self._answers:
            if self._finished and not self._under_way:
                return None
            self._changed.clear()
            await self._changed.wait()
        answer = self._answers.popleft()
        if len(self._answers) < MAX_UNWRITTEN:
            self._room.set()
        return answer


@dataclass(frozen=True, slots=True)
class StreamWaiter:
    """One request of a stream, waiting in the queue."""

    outbox: Outbox
    request_id: str
    question: Question

    @property
    def gone(self) -> bool:
        """Whether the stream has ended."""
        return self.outbox.gone

    def settle(self, outcome: Outcome) -> None:
        """Hands the outcome to the stream's writer."""
        if isinstance(outcome, Scored):
            self.outbox.deliver(Answer(self.request_id, self.question, outcome))
        else:
            self.outbox.deliver(Refusal(self.request_id, outcome))
