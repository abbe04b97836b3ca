"""The tickets that wait for a cohort on one route, with the numbers and the forecasts of each version."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from supervisor.callers_present import Load
from supervisor.fair_queue import FairQueue, Taken
from supervisor.forecast import Forecast
from supervisor.round_robin import Line, Rank
from supervisor.ticket import Journey, Ticket


class Route(Protocol):
    """The destination of cohorts: versions of a game that share models, or one version. `VersionGroup` implements it.

    The requests of a cohort may be of several versions (docs/decisions/0019-shared-members.md).
    """

    @property
    def messages(self) -> int:
        """The number of messages that a journey costs."""
        ...

    def backlog_s(self, ticket: Ticket, waiting_rows: Mapping[str, int]) -> float:
        """Returns the time until the models have scored the rows of `ticket`, behind all rows before them.

        `waiting_rows`, by version, have not departed. Returns 0 if there are no rows before them.
        """
        ...

    def room_rows(self, version: str, within_s: float) -> float:
        """Returns how many rows of `version` may depart now so that the models have scored them `within_s`."""
        ...

    def depart(self, tickets: list[Ticket]) -> Journey:
        """Starts the journey of a cohort."""
        ...

    def abandon(self, tickets: list[Ticket]) -> None:
        """Answers `tickets` after a bug on their journey."""
        ...

    def refuse(self, tickets: Sequence[Ticket], detail: str) -> None:
        """Answers waiting `tickets` with the fallback, because of overload."""
        ...


@dataclass(slots=True, eq=False)
class Waiting:
    """The waiting tickets of one route. `departure` is the number of its latest cohort, among those of all routes."""

    route: Route | None = None  # while tickets wait: it must stay in memory until they have left
    tickets: FairQueue[Ticket] = field(default_factory=FairQueue)
    requests: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    forecasts: defaultdict[str, Forecast] = field(default_factory=lambda: defaultdict(Forecast))
    departure: int = 0
    limit_rows: float = math.inf  # of the latest cohort

    def add(self, route: Route, ticket: Ticket) -> None:
        """Appends a ticket to the line of its caller."""
        self.route = route
        self.requests[ticket.version] += 1
        self.rows[ticket.version] += self.tickets.add(ticket)

    @property
    def turn(self) -> tuple[bool, int, float]:
        """The place among the routes: critical tickets first, then the route that departed longest ago."""
        return not self.tickets.has_critical, self.departure, self.tickets.head.admitted_s

    def rank_with(self, ticket: Ticket) -> Rank:
        """Returns the rank of the line of `ticket` with it."""
        line = self.tickets.line(ticket.caller)
        rows = ticket.passenger.rows + (line.rows if line else 0)
        return not ticket.is_critical, rows / ticket.weight

    def refuse_newest(self, line: Line[Ticket]) -> None:
        """Refuses the newest ticket of a line."""
        ticket, route = self.tickets.pop_newest(line), self.route
        self._count_out((ticket,))
        if route is not None:
            route.refuse([ticket], "too many requests are waiting, most of them from this caller")

    def count_taken(self, taken: Taken[Ticket]) -> None:
        """Counts tickets that have left the lines."""
        for tickets in taken:
            self._count_out(tickets)

    def drop_answered(self) -> int:
        """Drops the tickets that are answered already; returns their number."""
        dropped = self.tickets.drop_answered()
        self._count_out(dropped)
        return len(dropped)

    def _count_out(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            self.requests[ticket.version] -= 1
            self.rows[ticket.version] -= ticket.passenger.rows
        if not self.tickets:  # lets the route go
            self.route = None


def heaviest_line(queues: Iterable[Waiting]) -> tuple[Waiting, Line[Ticket]]:
    """Returns the first line that loses tickets, and its queue; at least one ticket must wait.

    The line with the most rows for its weight; of critical callers only if no other caller has waiting tickets.
    """
    lines = [(queue, line) for queue in queues for line in queue.tickets.lines]
    return max(lines, key=lambda one: one[1].rank)


def loads_of(queues: Iterable[Waiting]) -> dict[str | None, Load]:
    """Returns the load of each caller with waiting tickets, on all routes together."""
    loads: dict[str | None, Load] = {}
    for queue in queues:
        for line in queue.tickets.lines:
            before = loads.get(line.caller)
            loads[line.caller] = Load(line.rows + (before.rows if before else 0), line.weight)
    return loads
