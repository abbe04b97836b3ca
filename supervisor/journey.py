"""The journey of a cohort: read features, build rows, ask the panels, and let each party answer its requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from supervisor.answers import PlayerRead
from supervisor.ballot import Ballot
from supervisor.features.cache import CohortFeatures, FeatureCache
from supervisor.panel import ask_panels
from supervisor.party import Party
from supervisor.rows import CohortRows
from supervisor.ticket import Ticket
from supervisor.tracing.cohort_trace import CohortTrace, cohort_trace


class CohortJourney:
    """Takes the parties of a cohort, by version, to the models together. A party never waits for another's votes."""

    def __init__(self, features: FeatureCache, parties: dict[str, Party]) -> None:
        self._features = features
        self._parties = parties
        self._ballots: list[Ballot] = []
        self._trace: CohortTrace | None = None

    async def travel(self, on_quorum: Callable[[str], None]) -> None:
        """Answers every ticket; returns when no vote can arrive any more."""
        tickets = [ticket for party in self._parties.values() for ticket in party.tickets]
        self._trace = cohort_trace(tickets)
        try:
            await self._travel(tickets, on_quorum)
        finally:
            if self._trace is not None:
                self._trace.close()

    async def _travel(self, tickets: Sequence[Ticket], on_quorum: Callable[[str], None]) -> None:
        deadline_s = max(ticket.deadline_s for ticket in tickets)
        try:
            read = await self._features.read([ticket.player_id for ticket in tickets], deadline_s - time.monotonic())
        finally:
            for party in self._parties.values():
                party.record_arrival()
        if self._trace is not None:
            self._trace.record_read(read)
        self._take_seats(read)
        seated = {name: party for name, party in self._parties.items() if party.seats}
        if not seated:
            return
        rows = _rows_of(seated.values(), read)
        voting = list(self._open_ballots(seated, rows, on_quorum))
        # The ticket of a caller who left has no timer: this timer ends the journey even if all callers have left.
        timer = asyncio.get_running_loop().call_later(deadline_s - time.monotonic(), self._close)
        try:
            ask_panels([(party.version.panel, ballot) for party, ballot in voting], rows, read.columns, deadline_s)
            await _finish(voting)
        finally:
            timer.cancel()
            self._close()

    def settle_now(self, ticket: Ticket) -> None:
        """Answers `ticket`, at its deadline, with the votes that have arrived. The other tickets travel on."""
        self._parties[ticket.version].settle_now(ticket)

    def _take_seats(self, read: CohortFeatures) -> None:
        players = [
            PlayerRead(features, position in read.stale, read.unread.get(position))
            for position, features in enumerate(read.players)
        ]
        start = 0
        for party in self._parties.values():
            party.take_seats(players[start : start + len(party.tickets)])
            start += len(party.tickets)

    def _open_ballots(
        self, seated: dict[str, Party], rows: CohortRows, on_quorum: Callable[[str], None]
    ) -> Iterator[tuple[Party, Ballot]]:
        start = 0
        for name, party in seated.items():
            requests = slice(start, start + len(party.seats))
            first, start = int(rows.bounds[start]), requests.stop
            ballot = party.open_ballot(rows.part(requests), first, partial(on_quorum, name))
            ballot.trace = self._trace
            self._ballots.append(ballot)
            yield party, ballot

    def _close(self) -> None:
        """Ends every vote that is not complete."""
        for ballot in self._ballots:
            ballot.close()


def _rows_of(parties: Iterable[Party], read: CohortFeatures) -> CohortRows:
    seats = [seat for party in parties for seat in party.seats.values()]
    players, passengers = [seat.player.features for seat in seats], [seat.ticket.passenger for seat in seats]
    return CohortRows(read.columns, players, passengers)


async def _finish(voting: Sequence[tuple[Party, Ballot]]) -> None:
    """Answers the tickets of each party as soon as its own votes are in."""
    if len(voting) == 1:  # the usual case, without the cost of a task
        ((party, ballot),) = voting
        await party.finish(ballot)
        return
    async with asyncio.TaskGroup() as tasks:
        for party, ballot in voting:
            tasks.create_task(party.finish(ballot))
