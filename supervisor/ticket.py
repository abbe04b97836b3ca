"""Tickets: admitted requests, which wait for a cohort and travel with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mesh.decision_id import new_id
from supervisor.answers import Answer
from supervisor.rows import Passenger

if TYPE_CHECKING:
    from supervisor.tracing.tracer import RequestTrace


@dataclass(slots=True, eq=False)
class Ticket:
    """One admitted request, and the future of its answer. Times are monotonic.

    A ticket of GetOffer has a `limit`, the number of offers to return, and no `scored_row`. A ticket of Score has a
    `scored_row`, the row whose score is returned, and does not use `limit`. A player who is held out gets the fallback.
    `is_pinned`: the caller named the version. `caller` is None if callers are not known; `weight` is its share of the
    queue, and a caller that `is_critical` is refused last. `version` is set at the admission, and `journey` while the
    ticket's cohort travels. `decision_id` names the answer. `total_s` is the time from the admission to the answer,
    once it has gone to the caller. `trace` is None without traces.
    """

    player_id: str
    passenger: Passenger
    limit: int
    scored_row: int | None
    admitted_s: float
    deadline_s: float
    is_held_out: bool = False
    is_pinned: bool = False
    request_id: str = ""
    caller: str | None = None
    weight: float = 1.0
    is_critical: bool = False
    decision_id: str = field(default_factory=new_id)
    version: str = ""
    total_s: float | None = None
    journey: Journey | None = None
    trace: RequestTrace | None = None
    timer: asyncio.TimerHandle | None = None  # answers the ticket at its deadline
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def rows(self) -> int:
        """The number of rows of the request."""
        return self.passenger.rows

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer, or the caller has left."""
        return self.answer.done()

    def settle(self, answer: Answer) -> None:
        """Sets the answer. Does nothing if there is one already, or if the caller has left."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Journey(Protocol):
    """The journey of one cohort, from its departure to its last answer. `CohortJourney` implements it."""

    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        """Answers every ticket of the cohort; calls `on_quorum` with each version whose quorum of votes has arrived."""
        ...

    def settle_now(self, ticket: Ticket) -> None:
        """Answers one ticket, at its deadline, with the votes that have arrived. The other tickets travel on."""
        ...
