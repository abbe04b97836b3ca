"""Party: the requests of one version in a cohort, their votes, and their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from supervisor.answers import Answer, AnswerRules, PlayerRead, Reason, ReasonWord, Timings
from supervisor.backlog import RowCount
from supervisor.ballot import Ballot
from supervisor.combine import Scores
from supervisor.exploration import DrawnOffers, Exploration
from supervisor.inputs import COMPLETE, Gaps
from supervisor.panel import Panel
from supervisor.ranking import RankedOffer
from supervisor.rows import CohortRows
from supervisor.ticket import Ticket
from supervisor.vote_count import VoteCount, count_votes


class AnswerMetrics(Protocol):
    """Receives every answer and every cohort. `VersionMetrics` implements it."""

    def record_cohort(self, requests: int, rows: int) -> None:
        """Records the requests of the version in a cohort that asks the panel, and their rows."""
        ...

    def record_answer(self, answer: Answer, total_s: float, trace_id: str = "") -> None:
        """Records an answer, `total_s` after the admission of its request. `trace_id` is that of a kept trace."""
        ...


class Seat(NamedTuple):
    """The place of a ticket in its party: `span`, its rows among the rows of the party, and its player."""

    ticket: Ticket
    span: slice
    player: PlayerRead


class Settled(NamedTuple):
    """Requests of a party that were answered at the same time, with the votes that were in `ballot` then.

    `seats`, `counts` and `answers` [requests] belong together. `rows` has the rows of the whole party. More votes may
    arrive in `ballot` if one of `answers` lacks votes. The panel voted in `fan_out_s`.
    """

    seats: Sequence[Seat]
    counts: Sequence[VoteCount]
    answers: Sequence[Answer]
    rows: CohortRows
    ballot: Ballot
    fan_out_s: float


class Tap(Protocol):
    """Receives the requests whose models were asked, after they are answered. `ShadowTap` implements it."""

    def settled(self, settled: Settled) -> None:
        """Receives requests of one party. It must not raise, and must not wait."""
        ...


class AnswerLog(Protocol):
    """Receives every answer that has gone to a caller. `VersionRecorder` implements it."""

    def record(self, ticket: Ticket, answer: Answer) -> None:
        """Receives an answer; `total_s` of its ticket is set. It must not raise, and must not wait."""
        ...


@dataclass(frozen=True, slots=True)
class VersionParts:
    """The parts of a version that a party needs.

    `rows` counts the rows of its requests. `taps` receive its answered requests, and `log` every answer. `exploration`
    is None for a version without `explore`.
    """

    panel: Panel
    rules: AnswerRules
    metrics: AnswerMetrics
    rows: RowCount
    taps: tuple[Tap, ...] = ()
    exploration: Exploration | None = None
    log: AnswerLog | None = None


class Party:
    """Answers the tickets of one version: when all its votes are in, or each ticket at its own deadline."""

    def __init__(self, version: VersionParts, tickets: Sequence[Ticket]) -> None:
        self.version = version
        self.tickets = tickets
        self.seats: dict[Ticket, Seat] = {}
        self._departed_s = time.monotonic()
        self._departed_rows = sum([ticket.passenger.rows for ticket in tickets])
        self._features_read_s: float | None = None
        self._rows: CohortRows | None = None
        self._gaps: dict[Ticket, Gaps] | None = None
        self._ballot: Ballot | None = None
        version.rows.departed += self._departed_rows

    def record_arrival(self) -> None:
        """Records that the features were read, or could not be read: the models receive the rows now."""
        self.version.rows.arrived += self._departed_rows
        self._features_read_s = time.monotonic()

    def take_seats(self, players: Sequence[PlayerRead]) -> None:
        """Seats the tickets for the panel; answers the others with the fallback. `players` are those of the tickets."""
        self.seats = {seat.ticket: seat for seat in self._take_seats(players)}

    def open_ballot(self, rows: CohortRows, first: int, on_quorum: Callable[[], None]) -> Ballot:
        """Returns the ballot for `rows`, those of the seats; their first row is row `first` of the cohort."""
        self._rows = rows
        count = int(rows.bounds[-1])
        self.version.metrics.record_cohort(len(self.seats), count)
        quorum = self.version.rules.version.quorum
        self._ballot = Ballot(self.version.panel.models, count, quorum, on_quorum, first=first)
        return self._ballot

    async def finish(self, ballot: Ballot) -> None:
        """Waits for all votes of `ballot`, and answers every ticket."""
        await ballot.done
        self._settle([seat for seat in self.seats.values() if not seat.ticket.answer.done()], ballot)

    def settle_now(self, ticket: Ticket) -> None:
        """Answers `ticket`, at its deadline, with the votes that have arrived. The other tickets travel on."""
        if self._ballot is None:
            reason = Reason(ReasonWord.DEADLINE, "the features were not read in time")
            ticket.settle(self.version.rules.fallback(reason, timings=self._timings(ticket)))
            return
        seat = self.seats.get(ticket)  # None: the ticket was answered before the party took its seats
        if seat is not None:
            self._settle([seat], self._ballot)
        if all(ticket.answer.done() for ticket in self.seats):
            self._ballot.close()

    def _take_seats(self, players: Sequence[PlayerRead]) -> Iterator[Seat]:
        start = 0
        for ticket, player in zip(self.tickets, players, strict=True):
            refusal = self.version.rules.refusal(player)
            if refusal is not None:
                ticket.settle(self.version.rules.fallback(refusal, timings=self._timings(ticket)))
            elif not ticket.answer.done():
                stop = start + ticket.passenger.rows
                yield Seat(ticket, slice(start, stop), player)
                start = stop

    def _settle(self, seats: Sequence[Seat], ballot: Ballot) -> None:
        if not seats:
            return
        voted_s = time.monotonic()
        spans = [seat.span for seat in seats]
        counts = count_votes(self.version.rules.version, ballot.votes, ballot.reasons, spans)
        digest = self.version.panel.digest(ballot.files)
        answers = [
            self._answer(seat, votes, voted_s, ballot, digest) for seat, votes in zip(seats, counts, strict=True)
        ]
        for seat, answer in zip(seats, answers, strict=True):
            seat.ticket.settle(answer)
        if self.version.taps and self._rows is not None and self._features_read_s is not None:
            settled = Settled(seats, counts, answers, self._rows, ballot, voted_s - self._features_read_s)
            for tap in self.version.taps:
                tap.settled(settled)

    def _answer(self, seat: Seat, votes: VoteCount, voted_s: float, ballot: Ballot, digest: str) -> Answer:
        ticket, rules, last_model = seat.ticket, self.version.rules, ballot.last_model
        if votes.scores is None or not rules.has_quorum(votes):
            return rules.without_quorum(votes, self._timings(ticket, voted_s, last_model=last_model))
        drawn = self._drawn(seat, votes.scores, ballot)
        result = self._result(ticket, votes.scores) if drawn is None else drawn.offers
        combine_s = time.monotonic() - voted_s  # includes the ranking for the earlier seats of the party
        timings = self._timings(ticket, voted_s, combine_s, last_model)
        answer = rules.scored(result, votes, seat.player, timings, self._gaps_of(ticket), digest)
        return answer if drawn is None else answer._replace(explored=drawn.is_drawn, propensity=drawn.propensity)

    def _gaps_of(self, ticket: Ticket) -> Gaps:
        """Finds the gaps of the whole party at its first answer, when every model has its rows."""
        if self._gaps is None:
            found = self.version.panel.gaps(self._rows) if self._rows is not None else ()
            self._gaps = {seat: gaps for seat, gaps in zip(self.seats, found, strict=True) if gaps is not COMPLETE}
        return self._gaps.get(ticket, COMPLETE)

    def _drawn(self, seat: Seat, scores: Scores, ballot: Ballot) -> DrawnOffers | None:
        exploration = self.version.exploration
        if exploration is None or not exploration.applies_to(seat.ticket):
            return None
        return exploration.rank(seat.ticket, scores, ballot.votes[:, seat.span])

    def _result(self, ticket: Ticket, scores: Scores) -> float | tuple[RankedOffer, ...]:
        ranking = self.version.rules.ranking
        if ranking is None or ticket.scored_row is not None:
            return float(scores[ticket.scored_row or 0])
        return ranking.best(ticket.passenger.offers, scores, ticket.limit)

    def _timings(
        self, ticket: Ticket, voted_s: float | None = None, combine_s: float = 0.0, last_model: str = ""
    ) -> Timings:
        read_s = time.monotonic() if self._features_read_s is None else self._features_read_s
        return Timings(
            queue_s=self._departed_s - ticket.admitted_s,
            features_s=read_s - self._departed_s,
            fan_out_s=voted_s - read_s if voted_s is not None else 0.0,
            combine_s=combine_s,
            last_model=last_model,
        )
