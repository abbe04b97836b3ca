"""Slow models on a virtual clock: a route whose models, and not its CPU, are the limit."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from supervisor.answers import Answer, Reason, ReasonWord, Source
from supervisor.backlog import Backlog, PoolLoad, RowCount
from supervisor.ticket import Ticket

WHOLE = Answer(Source.ENSEMBLE, None)
LATE = Answer(Source.FALLBACK, Reason(ReasonWord.DEADLINE, "too late"))
REFUSED = Answer(Source.FALLBACK, Reason(ReasonWord.OVERLOADED, "too many"))
MODELS, REPLICAS, ROW_S, DEADLINE_S = 15, 4, 0.033, 0.285
READ_S = 0.005  # the time to read features
CAPACITY_RPS = REPLICAS / ROW_S


@dataclass(eq=False)
class SlowModel:
    """A model whose replicas score one row after the other; rows that nobody waits for are dropped."""

    times_s: Iterator[float]
    rows: deque[tuple[Ticket, Callable[[Ticket], None]]] = field(default_factory=deque)
    busy: int = 0

    @property
    def load(self) -> PoolLoad:
        return PoolLoad(len(self.rows) + self.busy, REPLICAS, ROW_S)

    def start(self) -> None:
        while self.busy < REPLICAS and self.rows:
            ticket, on_score = self.rows.popleft()
            if not ticket.answer.done():
                self.busy += 1
                asyncio.get_running_loop().call_later(next(self.times_s), self.end, ticket, on_score)

    def end(self, ticket: Ticket, on_score: Callable[[Ticket], None]) -> None:
        self.busy -= 1
        on_score(ticket)
        self.start()


@dataclass(eq=False)
class SlowJourney:
    """Answers a ticket when every model has scored its row."""

    models: Sequence[SlowModel]
    tickets: list[Ticket]
    on_features_read: Callable[[], None]
    votes: Counter[Ticket] = field(default_factory=Counter)
    quorum: Callable[[], None] = lambda: None

    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        self.quorum = lambda: on_quorum("v")
        await asyncio.sleep(READ_S)
        self.on_features_read()
        for model in self.models:
            model.rows += [(ticket, self.on_score) for ticket in self.tickets]
            model.start()
        await asyncio.gather(*(ticket.answer for ticket in self.tickets))

    def on_score(self, ticket: Ticket) -> None:
        self.votes[ticket] += 1
        if self.votes[ticket] == len(self.models):
            ticket.settle(WHOLE)
        if self.votes.total() == 10 * len(self.tickets):
            self.quorum()

    def settle_now(self, ticket: Ticket) -> None:
        ticket.settle(LATE)


@dataclass(eq=False)
class SlowRoute:
    """A panel of slow models; without `backlog`, admission has only the forecast."""

    models: Sequence[SlowModel]
    backlog: Backlog | None
    rows: RowCount
    messages: int = MODELS

    def backlog_s(self, ticket: Ticket, waiting_rows: Mapping[str, int]) -> float:
        return self.backlog.time_s(waiting_rows, ticket.passenger.rows) if self.backlog else 0.0

    def room_rows(self, version: str, within_s: float) -> float:
        del version
        return self.backlog.room_rows(within_s) if self.backlog else math.inf

    def refuse(self, tickets: Sequence[Ticket], detail: str) -> None:
        del detail
        for ticket in tickets:
            ticket.settle(REFUSED)

    def depart(self, tickets: list[Ticket]) -> SlowJourney:
        self.rows.departed += len(tickets)
        return SlowJourney(self.models, tickets, lambda: self.arrive(len(tickets)))

    def arrive(self, rows: int) -> None:
        self.rows.arrived += rows

    def abandon(self, tickets: list[Ticket]) -> None:
        raise AssertionError(f"a bug on the journey of {len(tickets)} requests")


class NeverStarved:
    def is_starved(self) -> bool:
        return False
