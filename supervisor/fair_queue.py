"""Fair queue: tickets wait in a line for each caller, and the lines share the departures by weight."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple

from supervisor.round_robin import Line, RoundRobin, TicketT


class Taken(NamedTuple, Generic[TicketT]):
    """The result of `FairQueue.take`: tickets that depart, tickets that are too late, and tickets answered before."""

    departing: list[TicketT]
    late: list[TicketT]
    answered: list[TicketT]


class FairQueue(Generic[TicketT]):
    """The waiting tickets of one route. With one caller it is first in, first out."""

    def __init__(self) -> None:
        self.count = 0
        self.rows = 0
        self._lines: dict[str | None, Line[TicketT]] = {}  # bounded: the names are those of the catalog
        self._critical: RoundRobin[TicketT] = RoundRobin()
        self._others: RoundRobin[TicketT] = RoundRobin()

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def has_critical(self) -> bool:
        """Whether a ticket of a critical caller waits."""
        return self._critical.active > 0

    @property
    def has_new(self) -> bool:
        """Whether a ticket waits of a caller, not critical, that sends little."""
        return self._others.has_new

    @property
    def lines(self) -> Iterator[Line[TicketT]]:
        """The lines in which tickets wait, those of critical callers first."""
        yield from self._critical.lines
        yield from self._others.lines

    @property
    def head(self) -> TicketT:
        """The ticket that departs next; the queue must not be empty."""
        return (self._critical if self._critical.active else self._others).next().tickets[0]

    def counts(self) -> dict[str, int]:
        """Returns the number of waiting tickets of each known caller. Any thread may call it."""
        lines = list(self._lines.values())
        return {line.caller: len(line.tickets) for line in lines if line.caller is not None}

    def line(self, caller: str | None) -> Line[TicketT] | None:
        """Returns the line of `caller`; None if no ticket of it waits."""
        line = self._lines.get(caller)
        return line if line is not None and line.tickets else None

    def add(self, ticket: TicketT) -> int:
        """Appends `ticket` to the line of its caller; returns its rows."""
        line = self._lines.get(ticket.caller)
        if line is None:
            line = self._lines[ticket.caller] = Line(ticket.caller)
        if not line.tickets:
            line.weight, line.is_critical = ticket.weight, ticket.is_critical
            self._turns(line).enter(line, ticket.rows)
        rows = ticket.rows
        line.tickets.append(ticket)
        line.rows += rows
        self.rows += rows
        self.count += 1
        return rows

    def is_below_share(self, ticket: TicketT) -> bool:
        """Returns whether the caller of `ticket` certainly sends no more than its share.

        Its line, with `ticket`, has at most half of its share of the waiting rows, or it has few tickets and no debts.
        """
        line = self._lines.get(ticket.caller)
        if line is None or line.has_room_for_few(ticket.rows):
            return True
        weights = sum([other.weight for other in self.lines if other is not line]) + ticket.weight
        return 2 * (line.rows + ticket.rows) * weights <= (self.rows + ticket.rows) * ticket.weight

    def take(
        self,
        max_requests: int,
        max_rows: float,
        fair_rows: float = math.inf,
        new_rows: float = math.inf,
        is_late: Callable[[TicketT], bool] | None = None,
    ) -> Taken[TicketT]:
        """Removes the tickets that depart next.

        At most `max_requests` and `max_rows`; tickets that are not critical only while the rows of all are at most
        `fair_rows`, or `new_rows` for the first tickets of a line that was empty. The first ticket departs also if it
        has more rows. Tickets of lines that are not new do not depart if `is_late`.
        """
        taken: Taken[TicketT] = Taken([], [], [])
        rows = self._take_from(self._critical, max_requests, max_rows, max_rows, is_late, taken)
        new, old = (min(max_rows, limit) - rows for limit in (new_rows, fair_rows))
        self._take_from(self._others, max_requests, new, old, is_late, taken)
        return taken

    def pop_newest(self, line: Line[TicketT]) -> TicketT:
        """Removes and returns the newest ticket of `line`, in which a ticket waits."""
        ticket = line.tickets.pop()
        line.rows -= ticket.rows
        self._leave(line, ticket.rows)
        return ticket

    def drop_answered(self) -> list[TicketT]:
        """Removes and returns the tickets that are answered already."""
        dropped: list[TicketT] = []
        for line in list(self.lines):
            answered = [ticket for ticket in line.tickets if ticket.is_answered]
            if answered:
                line.tickets = deque(ticket for ticket in line.tickets if not ticket.is_answered)
                rows = sum(ticket.rows for ticket in answered)
                line.rows -= rows
                self._leave(line, rows, len(answered))
                dropped += answered
        return dropped

    def learn(self, now_s: float) -> None:
        """Learns the pace of the lines in which tickets stayed behind at a departure."""
        for line in self.lines:
            line.learn(now_s)

    def _take_from(
        self,
        turns: RoundRobin[TicketT],
        max_requests: int,
        max_rows: float,
        old_rows: float,
        is_late: Callable[[TicketT], bool] | None,
        taken: Taken[TicketT],
    ) -> float:
        """Takes at most `max_rows` from the lines of `turns`, and from old lines up to `old_rows`; returns the rows."""
        sum_rows = 0
        while turns.active and len(taken.departing) < max_requests:
            line = turns.next()
            rows_left = (max_rows if turns.is_new(line) else old_rows) - sum_rows
            before = line.rows, len(line.tickets)
            late = None if turns.is_new(line) else is_late
            rows = _take_run(line, turns.credit(line), max_requests, rows_left, late, taken)
            if len(line.tickets) == before[1]:
                break
            turns.charge(line, rows)
            self._leave(line, before[0] - line.rows, before[1] - len(line.tickets))
            sum_rows += rows
        return sum_rows

    def _leave(self, line: Line[TicketT], rows: int, count: int = 1) -> None:
        """Counts tickets that have left `line`."""
        self.rows -= rows
        self.count -= count
        if not line.tickets:
            self._turns(line).leave(line)

    def _turns(self, line: Line[TicketT]) -> RoundRobin[TicketT]:
        return self._critical if line.is_critical else self._others


def _take_run(
    line: Line[TicketT],
    credit: float,
    max_requests: int,
    rows_left: float,
    is_late: Callable[[TicketT], bool] | None,
    taken: Taken[TicketT],
) -> int:
    """Takes tickets from the head of `line`: the first departing one, and others up to `credit` rows; returns the rows.

    Takes none if the first does not fit into `rows_left`, unless it is the first of the cohort.
    """
    tickets, departing, departed = line.tickets, taken.departing, 0
    while tickets and len(departing) < max_requests:
        ticket = tickets[0]
        rows = ticket.rows
        if ticket.is_answered:
            taken.answered.append(ticket)
        elif is_late is not None and is_late(ticket):
            taken.late.append(ticket)
            line.was_late = True
        elif departing and (departed + rows > rows_left or (departed and departed + rows > credit)):
            break
        else:
            departing.append(ticket)
            departed += rows
        tickets.popleft()
        line.rows -= rows
    if departed:
        line.depart(departed)
    return departed
