"""The journey of a cohort: features, rows, panel, combine, rank; each request answered by its own deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesh.errors import MeshError
from mesh.players.features import PlayerFeatures
from supervisor import tally
from supervisor.answer import Answer, Reason, Source, Timings
from supervisor.ballot import Ballot
from supervisor.cohort import Ticket
from supervisor.features.cache import FeatureRead
from supervisor.panel import ask_panel
from supervisor.rows import CohortRows
from supervisor.tally import Tally

if TYPE_CHECKING:
    from supervisor.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class Seat:
    """A ticket's place in the cohort: its rows, and its player as the store knows, or last knew, them.

    `unread` says why nothing is known of the player.
    """

    ticket: Ticket
    rows: slice
    player: PlayerFeatures | None
    is_stale: bool
    unread: MeshError | None


class CohortJourney:
    """Tickets that travel together. They are answered when all votes are in, or each at its own deadline."""

    def __init__(self, ensemble: Ensemble, tickets: list[Ticket]) -> None:
        self._ensemble = ensemble
        self._tickets = tickets
        self._departed_s = time.monotonic()
        self._read_s: float | None = None
        self._seats: dict[Ticket, Seat] = {}
        self._ballot: Ballot | None = None
        for ticket in tickets:
            ticket.journey = self

    async def travel(self, on_quorum: Callable[[], None]) -> None:
        """Answers every ticket; returns when no vote is awaited any more."""
        deadline_s = max(ticket.deadline_s for ticket in self._tickets)
        ids = [ticket.player_id for ticket in self._tickets]
        read = await self._ensemble.features.read(ids, deadline_s - time.monotonic())
        self._read_s = time.monotonic()
        self._seats = {seat.ticket: seat for seat in self._seat(read)}
        if not self._seats:
            return
        seats = self._seats.values()
        rows = CohortRows(read.columns, [seat.player for seat in seats], [seat.ticket.passenger for seat in seats])
        self._ballot = self._open_ballot(on_quorum)
        # Tickets whose callers left keep no timer: the journey ends by itself.
        timer = asyncio.get_running_loop().call_later(deadline_s - time.monotonic(), self._ballot.close)
        try:
            await ask_panel(self._ensemble.panel, rows, read.columns, self._ballot, deadline_s)
        finally:
            timer.cancel()
            self._ballot.close()
        self._settle([seat for seat in seats if not seat.ticket.answer.done()], self._ballot)

    def settle_now(self, ticket: Ticket) -> None:
        """At a ticket's deadline: answers with the votes that are in, while the cohort travels on."""
        if self._ballot is None:
            reason = Reason("deadline", "the features were not read in time")
            return ticket.settle(self._ensemble.fallback(reason, timings=self._timings(ticket)))
        seat = self._seats.get(ticket)  # None: it was settled when the cohort took its seats
        if seat is not None:
            self._settle([seat], self._ballot)
        if all(ticket.answer.done() for ticket in self._seats):
            self._ballot.close()
        return None

    def _seat(self, read: FeatureRead) -> Iterator[Seat]:
        """Gives a seat to each ticket that has features, and the fallback to the others."""
        start = 0
        for position, (ticket, player) in enumerate(zip(self._tickets, read.players, strict=True)):
            refusal = self._refusal(position, player, read)
            if refusal is not None:
                ticket.settle(self._ensemble.fallback(refusal, timings=self._timings(ticket)))
            elif not ticket.answer.done():
                stop = start + ticket.passenger.rows
                yield Seat(ticket, slice(start, stop), player, position in read.stale, read.unread.get(position))
                start = stop

    def _refusal(self, position: int, player: PlayerFeatures | None, read: FeatureRead) -> Reason | None:
        rules, unread = self._ensemble.catalog.features, read.unread.get(position)
        if unread is not None:
            return Reason("features", unread.reason) if rules.unread_player == "fallback" else None
        if player is None and rules.unknown_player == "fallback":
            return Reason("unknown-player", "the store does not know this player")
        return None

    def _open_ballot(self, on_quorum: Callable[[], None]) -> Ballot:
        rows = sum(seat.ticket.passenger.rows for seat in self._seats.values())
        self._ensemble.log.cohort(len(self._seats), rows)
        return Ballot(self._ensemble.panel.models, rows, self._ensemble.version.quorum, on_quorum)

    def _settle(self, seats: Sequence[Seat], ballot: Ballot) -> None:
        if not seats:
            return
        voted_s = time.monotonic()
        tallies = tally.count(self._ensemble.version, ballot.votes, ballot.reasons, [seat.rows for seat in seats])
        for seat, result in zip(seats, tallies, strict=True):
            timings = self._timings(seat.ticket, voted_s, ballot.last_model)
            seat.ticket.settle(self._answer(seat, result, timings))

    def _answer(self, seat: Seat, result: Tally, timings: Timings) -> Answer:
        quorum = self._ensemble.version.quorum
        if result.scores is None or result.votes < quorum:
            reason = Reason("quorum", f"{result.votes} of the {quorum} votes needed")
            return self._ensemble.fallback(reason, result.missing, timings)
        ticket = seat.ticket
        ranking = None if ticket.scored is not None else self._ensemble.ranking
        answer = Answer(
            Source.PARTIAL if result.missing else Source.ENSEMBLE,
            self._amiss(seat, result),
            score=float(result.scores[ticket.scored or 0]) if ranking is None else None,
            offers=() if ranking is None else ranking.best(ticket.passenger.offers, result.scores, ticket.limit),
            missing=result.missing,
            features_age_s=time.time() - seat.player.written_at_s if seat.player else None,
            unknown_player=seat.player is None and seat.unread is None,
            timings=timings,
        )
        timings.combine_s = time.monotonic() - self._departed_s - timings.features_s - timings.fan_out_s
        return answer

    def _amiss(self, seat: Seat, result: Tally) -> Reason | None:
        if result.missing:
            return Reason("missing-models", ", ".join(model for model, _ in result.missing))
        if seat.unread is not None:
            return Reason("features", f"{seat.unread.reason}; scored on missing values")
        if seat.player is None:
            return Reason("unknown-player", "the store does not know this player; scored on missing values")
        if seat.is_stale:
            return Reason("stale-features", "the store could not be read; these are from before")
        return None

    def _timings(self, ticket: Ticket, voted_s: float | None = None, last_model: str = "") -> Timings:
        read_s = self._read_s or time.monotonic()
        return Timings(
            queue_s=self._departed_s - ticket.admitted_s,
            features_s=read_s - self._departed_s,
            fan_out_s=voted_s - read_s if voted_s is not None else 0.0,
            last_model=last_model,
        )
