"""Shipments: the rows of a vote, queued or sent to a replica in one message."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesh.errors import MeshError
from supervisor.ballot import ModelVote
from supervisor.encoding import FactoredPart

if TYPE_CHECKING:
    from supervisor.lane_reply import ScoreReply
    from supervisor.tracing.member_span import MemberSpan


@dataclass(slots=True)
class Race:
    """The shipments that carry the same rows to several replicas: the first reply counts."""

    under_way: int
    has_first_reply: bool = False  # from the replica that received the rows first


@dataclass(slots=True, eq=False)
class Shipment:
    """Rows `start` to `stop` of a model's vote: queued, or sent to a replica in one message.

    `tries` counts the times that the rows were sent, this one included. While `Hedging` watches the shipment, `sent_s`
    and `due_s` (monotonic) are when it was sent and when its reply is overdue, and `work_s` is the work of its replica
    until the reply. `race` is None while no other shipment carries the rows. `span` is that of the last message with
    the rows, if traces are on.
    """

    vote: ModelVote
    start: int
    stop: int
    tries: int = 1
    race: Race | None = None
    is_second_try: bool = False
    sent_s: float = 0.0
    work_s: float = 0.0
    due_s: float = math.inf
    span: MemberSpan | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stop - self.start

    def plain(self) -> bytes:
        """The encoded plain rows."""
        return self.vote.matrix.plain(self.start, self.stop)

    def factored(self) -> FactoredPart | None:
        """The encoded factored rows; None if the rows have no factored form."""
        return self.vote.matrix.factored(self.start, self.stop)

    def budget_s(self) -> float:
        """The time left until the deadline of the vote, in seconds."""
        return self.vote.deadline_s - time.monotonic()

    def begin_span(self, address: str) -> str:
        """Begins the span of the message to `address`; returns its parameter `traceparent`, or '' without one."""
        trace = self.vote.trace
        if trace is None:
            return ""
        self.span = trace.sent(self, address)
        return trace.parameter(self.span)

    def end_span(self, outcome: ScoreReply | MeshError) -> None:
        """Ends the span of the message."""
        if self.span is not None:
            self.span.end(self, outcome)

    def is_wanted(self) -> bool:
        """Whether the vote is still open, and the rows were not scored by another replica."""
        if not self.vote.is_open:
            return False
        return not self.is_second_try or self.race is None or not self.race.has_first_reply

    def split(self, rows: int) -> Shipment:
        """Cuts off the first `rows`, or a few less, and keeps the remainder."""
        cut = self.vote.matrix.cut(self.start, self.start + rows)
        first = Shipment(self.vote, self.start, cut, self.tries, self.race, self.is_second_try)
        if self.race is not None:
            self.race.under_way += 1
        self.start = cut
        return first

    def second_try(self) -> Shipment:
        """Returns a shipment that carries the same rows to another replica, while this one is under way."""
        self.race = Race(under_way=2)
        self.vote.is_hedged = True
        return Shipment(self.vote, self.start, self.stop, self.tries + 1, self.race, is_second_try=True)

    def finish(self) -> bool:
        """Records that this shipment is under way no more; returns whether no other one carries its rows."""
        if self.race is None:
            return True
        self.race.under_way -= 1
        return self.race.under_way == 0
