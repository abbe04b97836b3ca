"""An ensemble in service: everything that answers for one version of one game."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from mesh.catalog.catalog import Catalog, Version
from mesh.errors import Overloaded
from supervisor.answer import Answer, RankedOffer, Reason, Source, Timings
from supervisor.cohort import Cohorts, Ticket
from supervisor.features.cache import FeatureCache
from supervisor.journey import CohortJourney
from supervisor.panel import Panel
from supervisor.ranking import Ranking


class AnswerLog(Protocol):
    """Who wants to know what was answered, and how the journeys went."""

    def cohort(self, requests: int, rows: int) -> None:
        """A cohort is on its way to the panel."""
        ...

    def answered(self, answer: Answer) -> None:
        """A request was answered."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """One version's panel, features and rules; the route of its cohorts. A game without offers has no ranking."""

    catalog: Catalog
    name: str
    version: Version
    panel: Panel
    features: FeatureCache
    ranking: Ranking | None
    log: AnswerLog

    @property
    def messages(self) -> int:
        """One for each model."""
        return len(self.panel.pools)

    async def answer(self, ticket: Ticket, cohorts: Cohorts) -> Answer:
        """The answer for `ticket`, at its deadline at the latest; cancelling it costs its neighbours nothing."""
        left_s = ticket.deadline_s - time.monotonic()
        if left_s <= 0:  # work for it would only be in the way of those who can still be answered
            return self._say(ticket, self.fallback(Reason("deadline", "no time was left when it came in")))
        timer = asyncio.get_running_loop().call_later(left_s, self._expire, ticket)
        try:
            cohorts.admit(self, ticket)
            answer = await ticket.answer
        except Overloaded as error:
            answer = self.fallback(Reason("overloaded", error.reason))
        finally:
            timer.cancel()
        return self._say(ticket, answer)

    def depart(self, tickets: list[Ticket]) -> CohortJourney:
        """Sends `tickets` on their way together."""
        return CohortJourney(self, tickets)

    def abandon(self, tickets: list[Ticket]) -> None:
        """Answers `tickets` with the fallback after a bug on the way."""
        for ticket in tickets:
            ticket.settle(self.fallback(Reason("internal", "the supervisor failed; its log says how")))

    def fallback(
        self, reason: Reason, missing: tuple[tuple[str, str], ...] = (), timings: Timings | None = None
    ) -> Answer:
        """The catalog's fallback offer, without scores."""
        rules = self.catalog.offers
        offers = (RankedOffer(rules.fallback, None, None),) if rules else ()
        return Answer(Source.FALLBACK, reason, offers=offers, missing=missing, timings=timings or Timings())

    def _say(self, ticket: Ticket, answer: Answer) -> Answer:
        answer.timings.total_s = time.monotonic() - ticket.admitted_s
        self.log.answered(answer)
        return answer

    def _expire(self, ticket: Ticket) -> None:
        if ticket.journey is not None:
            ticket.journey.settle_now(ticket)
        else:
            waited_s = time.monotonic() - ticket.admitted_s
            reason = Reason("deadline", "no cohort departed in time")
            ticket.settle(self.fallback(reason, timings=Timings(queue_s=waited_s)))
