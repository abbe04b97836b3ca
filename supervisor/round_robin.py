"""Deficit round robin over the lines of callers, by weight; the cost of a ticket is its number of rows.

After Shreedhar and Varghese 1995, "Efficient Fair Queuing Using Deficit Round Robin". As in FQ-CoDel (RFC 8290), a line
that was empty has its first turn before the lines that stay behind: a caller that sends little does not wait for one
that floods. Reasons: docs/decisions/0030-fairness.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

LEARNING_WEIGHT = 0.2
# A line with at most this many tickets has its turns before the lines that stay behind: the requests of a caller that
# sends little often come in pairs.
SHORT = 4
# It may have this many tickets before the others, until it has paid for them by its turns.
DEBTS = 16

Rank = tuple[bool, float]  # whether the caller is not critical, and its waiting rows as a multiple of its weight


class Queued(Protocol):
    """The part of a ticket that the queue reads. `Ticket` implements it."""

    @property
    def caller(self) -> str | None:
        """The name of the caller; None if callers are not known."""
        ...

    @property
    def weight(self) -> float:
        """The share of the caller, relative to those of the others."""
        ...

    @property
    def is_critical(self) -> bool:
        """Whether the ticket departs before, and is refused after, those of callers that are not critical."""
        ...

    @property
    def rows(self) -> int:
        """The cost of the ticket."""
        ...

    @property
    def is_answered(self) -> bool:
        """Whether the ticket needs no departure any more."""
        ...


TicketT = TypeVar("TicketT", bound=Queued)


@dataclass(slots=True, eq=False)
class Line(Generic[TicketT]):
    """The waiting tickets of one caller, the oldest first, and the number of their rows.

    `row_s` is the learned time between two departing rows while tickets of the caller stay behind; None if all its
    tickets departed the last time. `credit` is the deficit of the algorithm, in rows: negative while the line has had
    more than its turns. `has_place` is false for a line whose next ticket is the first after a pause. `was_late`: the
    ticket that left last was too late to depart.
    """

    caller: str | None
    weight: float = 1.0
    is_critical: bool = False
    tickets: deque[TicketT] = field(default_factory=deque)
    rows: int = 0
    credit: float = 0.0
    has_place: bool = False
    was_late: bool = False
    row_s: float | None = None
    _behind_since_s: float | None = None
    _departed_rows: int = 0

    @property
    def rank(self) -> Rank:
        """The rank among lines: the line with the highest rank is the first that loses tickets."""
        return not self.is_critical, self.rows / self.weight

    @property
    def is_short(self) -> bool:
        """Whether the line has few tickets, and few debts."""
        if not self.tickets:
            return False
        rows = self.tickets[0].rows
        return self.rows <= SHORT * rows and self.credit > -DEBTS * rows

    def has_room_for_few(self, rows: int) -> bool:
        """Returns whether the line, with `rows` more, has at most `SHORT` such tickets, and few debts."""
        return not self.was_late and self.rows + rows <= SHORT * rows and self.credit > -DEBTS * rows

    @property
    def wait_s(self) -> float:
        """The time until all waiting rows have departed; 0 if nothing is known that would delay them."""
        return self.rows * self.row_s if self.row_s is not None else 0.0

    def depart(self, rows: int) -> None:
        """Counts rows that depart."""
        self.was_late = False
        self._departed_rows += rows

    def learn(self, now_s: float) -> None:
        """Learns the pace from a departure that left tickets behind."""
        if self._behind_since_s is not None:
            if not self._departed_rows:
                return
            row_s = (now_s - self._behind_since_s) / self._departed_rows
            self.row_s = row_s if self.row_s is None else self.row_s + LEARNING_WEIGHT * (row_s - self.row_s)
        self._behind_since_s, self._departed_rows = now_s, 0

    def forget_pace(self) -> None:
        """Forgets the pace, because no ticket waits."""
        self.row_s, self._behind_since_s, self._departed_rows = None, None, 0


class RoundRobin(Generic[TicketT]):
    """The order of turns of lines.

    A line keeps its place while it is empty, until a turn has paid its debt. A line whose tickets were too late keeps
    its place until a ticket departs: a caller that floods must not be new again whenever its tickets are refused.
    """

    def __init__(self) -> None:
        self.active = 0  # lines with tickets
        self._new: deque[Line[TicketT]] = deque()  # have had no turn since they were empty
        self._old: deque[Line[TicketT]] = deque()
        self._turn: Line[TicketT] | None = None  # the old line that has received the credit of its present turn

    @property
    def lines(self) -> Iterator[Line[TicketT]]:
        """The lines with tickets."""
        for lines in (self._new, self._old):
            for line in lines:
                if line.tickets:
                    yield line

    @property
    def has_new(self) -> bool:
        """Whether a line with tickets has had no turn since it was empty."""
        return any(line.tickets for line in self._new)

    def is_new(self, line: Line[TicketT]) -> bool:
        """Returns whether `line`, which `next` returned, has had no turn since it was empty."""
        return bool(self._new) and self._new[0] is line

    def enter(self, line: Line[TicketT], rows: int) -> None:
        """Adds a line that was empty, before its first ticket, which has `rows`."""
        self.active += 1
        if line.has_place:
            if line.was_late or line.credit <= -DEBTS * rows:
                return
            (self._old if line in self._old else self._new).remove(line)
            if line is self._turn:
                self._turn = None
        else:
            line.has_place, line.credit = True, line.weight
        self._new.append(line)

    def next(self) -> Line[TicketT]:
        """Returns the line with the next ticket; at least one must have tickets."""
        if self.active == 1:
            line = (self._new or self._old)[0]
            return line if line.tickets else next(self.lines)
        while self._new:
            if self._new[0].tickets:
                return self._new[0]
            self._old.append(self._new.popleft())
        while True:
            for _ in range(len(self._old)):
                line = self._old[0]
                if line is not self._turn:
                    line.credit += line.weight
                    self._turn = line
                if not line.tickets:
                    self._rest(line)
                elif line.tickets[0].is_answered or line.tickets[0].rows <= line.credit:
                    return line
                else:
                    self._old.rotate(-1)
            self._skip_rounds()

    def credit(self, line: Line[TicketT]) -> float:
        """Returns the rows that `line`, which `next` returned, may send in this turn; its first ticket in any case."""
        if self.is_new(line):
            return 0.0
        return line.credit if self.active > 1 else math.inf

    def charge(self, line: Line[TicketT], rows: int) -> None:
        """Charges the line that `next` returned for `rows` that have left it.

        A line alone gets no debts: its turns pay those of the empty lines.
        """
        is_alone = self.active == 1
        line.credit = 0.0 if is_alone else line.credit - rows
        if self.is_new(line):
            (self._new if line.is_short and not is_alone else self._old).append(self._new.popleft())
        if is_alone and len(self._old) > 1:
            for other in list(self._old):
                if other is not line:
                    other.credit += rows / line.weight * other.weight
                    if other.credit >= 0.0 and not other.was_late:
                        self._old.remove(other)
                        other.has_place = False

    def leave(self, line: Line[TicketT]) -> None:
        """Records that a line has become empty."""
        if not line.was_late:
            line.forget_pace()
        line.credit = min(line.credit, 0.0)
        self.active -= 1
        if not self.active:  # nobody waits for a turn: all debts are forgotten
            lines = (*self._new, *self._old)
            for one in lines:
                one.has_place, one.credit = one.was_late, 0.0
            self._new.clear()
            self._old = deque(one for one in lines if one.was_late)
            self._turn = None

    def _rest(self, line: Line[TicketT]) -> None:
        """Ends the turn of an empty line, which loses its place unless it has debts."""
        self._turn = None
        if line.credit < 0.0 or line.was_late:
            line.credit = min(line.credit, 0.0)
            self._old.rotate(-1)
            return
        self._old.popleft()
        line.has_place = False

    def _skip_rounds(self) -> None:
        """Gives the credit of the rounds in which no line can pay: large tickets would take many of them."""
        rounds = min(math.ceil((line.tickets[0].rows - line.credit) / line.weight) for line in self.lines) - 1
        for line in self._old:
            line.credit += max(0, rounds) * line.weight
