"""The journey of a cohort: read features, build rows, ask the panel, combine, rank, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from mesh.players.features import Columns, PlayerFeatures
from supervisor.answers import Answer, AnswerRules, PlayerRead, Reason, ReasonWord, Timings
from supervisor.ballot import Ballot
from supervisor.combine import Scores
from supervisor.features.cache import CohortFeatures, FeatureCache
from supervisor.inputs import COMPLETE, Gaps
from supervisor.panel import Panel, ask_panel
from supervisor.ranking import RankedOffer
from supervisor.rows import CohortRows
from supervisor.ticket import Ticket
from supervisor.vote_count import VoteCount, count_votes


class AnswerMetrics(Protocol):
    """Receives every answer and every cohort. `VersionMetrics` implements it."""

    def record_cohort(self, requests: int, rows: int) -> None:
        """Records a cohort that asks the panel."""
        ...

    def record_answer(self, answer: Answer, total_s: float) -> None:
        """Records an answer, `total_s` after the admission of its request."""
        ...


class Tap(Protocol):
    """Receives the answers with scores, after they are settled. `ShadowTap` implements it."""

    def answered(
        self,
        ticket: Ticket,
        columns: Columns,
        player: PlayerFeatures | None,
        scores: Scores,
        is_partial: bool,
        fan_out_s: float,
    ) -> None:
        """Receives a request that was answered with `scores` of its rows [rows]; the panel voted in `fan_out_s`."""
        ...


class Seat(NamedTuple):
    """The place of a ticket in its cohort: `span`, its rows among the rows of the cohort, and its player."""

    ticket: Ticket
    span: slice
    player: PlayerRead


class CohortJourney:
    """Answers the tickets of a cohort together: when all votes are in, or each ticket at its own deadline.

    Calls `on_features_read` once, before it asks the panel. `tap` is None for a version without shadows.
    """

    def __init__(
        self,
        features: FeatureCache,
        panel: Panel,
        rules: AnswerRules,
        metrics: AnswerMetrics,
        tickets: list[Ticket],
        on_features_read: Callable[[], None],
        tap: Tap | None = None,
    ) -> None:
        self._features = features
        self._panel = panel
        self._rules = rules
        self._metrics = metrics
        self._tickets = tickets
        self._on_features_read = on_features_read
        self._tap = tap
        self._departed_s = time.monotonic()
        self._features_read_s: float | None = None
        self._seats: dict[Ticket, Seat] = {}
        self._rows: CohortRows | None = None
        self._gaps: dict[Ticket, Gaps] | None = None
        self._ballot: Ballot | None = None

    async def travel(self, on_quorum: Callable[[], None]) -> None:
        """Answers every ticket; returns when no vote can arrive any more."""
        deadline_s = max(ticket.deadline_s for ticket in self._tickets)
        ids = [ticket.player_id for ticket in self._tickets]
        try:
            read = await self._features.read(ids, deadline_s - time.monotonic())
        finally:
            self._on_features_read()
        self._features_read_s = time.monotonic()
        self._seats = {seat.ticket: seat for seat in self._take_seats(read)}
        if not self._seats:
            return
        seats = self._seats.values()
        players, passengers = [seat.player.features for seat in seats], [seat.ticket.passenger for seat in seats]
        rows = self._rows = CohortRows(read.columns, players, passengers)
        self._ballot = self._open_ballot(on_quorum)
        # The ticket of a caller who left has no timer: this timer ends the journey even if all callers have left.
        timer = asyncio.get_running_loop().call_later(deadline_s - time.monotonic(), self._ballot.close)
        try:
            await ask_panel(self._panel, rows, read.columns, self._ballot, deadline_s)
        finally:
            timer.cancel()
            self._ballot.close()
        self._settle([seat for seat in seats if not seat.ticket.answer.done()], self._ballot)

    def settle_now(self, ticket: Ticket) -> None:
        """Answers `ticket`, at its deadline, with the votes that have arrived. The other tickets travel on."""
        if self._ballot is None:
            reason = Reason(ReasonWord.DEADLINE, "the features were not read in time")
            ticket.settle(self._rules.fallback(reason, timings=self._timings(ticket)))
            return
        seat = self._seats.get(ticket)  # None: the ticket was answered before the cohort took its seats
        if seat is not None:
            self._settle([seat], self._ballot)
        if all(ticket.answer.done() for ticket in self._seats):
            self._ballot.close()

    def _take_seats(self, read: CohortFeatures) -> Iterator[Seat]:
        """Yields the seats of the tickets for the panel; answers the others with the fallback."""
        start = 0
        for position, (ticket, features) in enumerate(zip(self._tickets, read.players, strict=True)):
            player = PlayerRead(features, position in read.stale, read.unread.get(position))
            refusal = self._rules.refusal(player)
            if refusal is not None:
                ticket.settle(self._rules.fallback(refusal, timings=self._timings(ticket)))
            elif not ticket.answer.done():
                stop = start + ticket.passenger.rows
                yield Seat(ticket, slice(start, stop), player)
                start = stop

    def _open_ballot(self, on_quorum: Callable[[], None]) -> Ballot:
        rows = sum(seat.ticket.passenger.rows for seat in self._seats.values())
        self._metrics.record_cohort(len(self._seats), rows)
        return Ballot(self._panel.models, rows, self._rules.version.quorum, on_quorum)

    def _settle(self, seats: Sequence[Seat], ballot: Ballot) -> None:
        if not seats:
            return
        voted_s = time.monotonic()
        counts = count_votes(self._rules.version, ballot.votes, ballot.reasons, [seat.span for seat in seats])
        for seat, votes in zip(seats, counts, strict=True):
            seat.ticket.settle(self._answer(seat, votes, voted_s, ballot.last_model))
        if self._tap is not None and self._rows is not None and self._features_read_s is not None:
            fan_out_s = voted_s - self._features_read_s
            for seat, votes in zip(seats, counts, strict=True):
                if votes.scores is not None and self._rules.has_quorum(votes):
                    self._tap.answered(
                        seat.ticket,
                        self._rows.columns,
                        seat.player.features,
                        votes.scores,
                        bool(votes.missing),
                        fan_out_s,
                    )

    def _answer(self, seat: Seat, votes: VoteCount, voted_s: float, last_model: str) -> Answer:
        ticket = seat.ticket
        if votes.scores is None or not self._rules.has_quorum(votes):
            return self._rules.without_quorum(votes, self._timings(ticket, voted_s, last_model=last_model))
        result = self._result(ticket, votes.scores)
        combine_s = time.monotonic() - voted_s  # includes the ranking for the earlier seats of the cohort
        timings = self._timings(ticket, voted_s, combine_s, last_model)
        return self._rules.scored(result, votes, seat.player, timings, self._gaps_of(ticket))

    def _gaps_of(self, ticket: Ticket) -> Gaps:
        """Finds the gaps of the whole cohort at its first answer, when every model has its rows."""
        if self._gaps is None:
            found = self._panel.gaps(self._rows) if self._rows is not None else ()
            self._gaps = {seat: gaps for seat, gaps in zip(self._seats, found, strict=True) if gaps is not COMPLETE}
        return self._gaps.get(ticket, COMPLETE)

    def _result(self, ticket: Ticket, scores: Scores) -> float | tuple[RankedOffer, ...]:
        ranking = self._rules.ranking
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
