"""Ensemble: answers the requests of one version of one game."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from mesh.errors import Overloaded
from mesh.tracing.spans import Value
from supervisor.answers import HELD_OUT, Answer, AnswerRules, Reason, ReasonWord, Timings
from supervisor.cohort import Cohorts
from supervisor.panel import Panel
from supervisor.party import AnswerMetrics, VersionParts
from supervisor.ticket import Ticket
from supervisor.tracing.tracer import RequestTrace
from supervisor.version_group import VersionGroup


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Answers the requests of one version, whose cohorts travel on `route`."""

    name: str
    version: VersionParts
    route: VersionGroup

    @property
    def panel(self) -> Panel:
        """The models."""
        return self.version.panel

    @property
    def rules(self) -> AnswerRules:
        """The rules by which votes become answers."""
        return self.version.rules

    @property
    def metrics(self) -> AnswerMetrics:
        """The receiver of the answers."""
        return self.version.metrics

    async def answer(self, ticket: Ticket, cohorts: Cohorts) -> tuple[Answer, float]:
        """Returns the answer to `ticket`, at its deadline at the latest, and the seconds since its admission.

        Cancelling the call does not affect the other tickets of the cohort.
        """
        return self.refuse_or_admit(ticket, cohorts) or await self.answer_admitted(ticket)

    def refuse_or_admit(self, ticket: Ticket, cohorts: Cohorts) -> tuple[Answer, float] | None:
        """Returns the answer, as `answer` does, if `ticket` needs no models: it is refused, or its player is held out.

        A ticket is refused if no time is left, or if load would make it late. Otherwise admits the ticket: await
        `answer_admitted`.
        """
        if ticket.is_held_out:
            return self._recorded(ticket, self.rules.fallback(HELD_OUT))
        left_s = ticket.deadline_s - time.monotonic()
        if left_s <= 0:  # its work would only delay requests that can still be answered
            return self._recorded(
                ticket, self.rules.fallback(Reason(ReasonWord.DEADLINE, "no time was left on arrival"))
            )
        ticket.version = self.name
        try:
            cohorts.admit(self.route, ticket)
        except Overloaded as error:
            return self._recorded(ticket, self.rules.fallback(Reason(ReasonWord.OVERLOADED, error.reason)))
        ticket.timer = asyncio.get_running_loop().call_later(left_s, self._expire, ticket)
        return None

    async def answer_admitted(self, ticket: Ticket) -> tuple[Answer, float]:
        """Returns the answer to an admitted ticket, as `answer` does."""
        try:
            answer = await ticket.answer
        finally:
            if ticket.timer is not None:
                ticket.timer.cancel()
        return self._recorded(ticket, answer)

    def _recorded(self, ticket: Ticket, answer: Answer) -> tuple[Answer, float]:
        """Records `answer`, and returns it with the seconds since the admission of `ticket`."""
        total_s = time.monotonic() - ticket.admitted_s
        if ticket.trace is None:
            self.metrics.record_answer(answer, total_s)
        else:
            self.metrics.record_answer(answer, total_s, self._end_trace(ticket.trace, ticket, answer, total_s))
        if self.version.log is not None:
            ticket.total_s = total_s
            self.version.log.record(ticket, answer)
        return answer, total_s

    def _end_trace(self, trace: RequestTrace, ticket: Ticket, answer: Answer, total_s: float) -> str:
        """Ends the trace of a request; returns its id if it is kept, and '' otherwise."""
        catalog = self.rules.catalog
        is_late = ticket.admitted_s + total_s > ticket.deadline_s
        if not trace.is_kept(answer, total_s, is_late, (catalog.game, self.name)):
            return ""
        attributes: dict[str, Value] = {
            "mesh.game": catalog.game,
            "mesh.version": self.name,
            "mesh.decision_id": ticket.decision_id,
        }
        if ticket.caller is not None:
            attributes["mesh.caller"] = ticket.caller
        if catalog.tracing.players:
            attributes["mesh.player_id"] = ticket.player_id
        return trace.end(answer, total_s, attributes)

    def _expire(self, ticket: Ticket) -> None:
        """Answers `ticket` at its deadline."""
        if ticket.journey is not None:
            ticket.journey.settle_now(ticket)
            return
        waited_s = time.monotonic() - ticket.admitted_s
        reason = Reason(ReasonWord.DEADLINE, "no cohort departed in time")
        ticket.settle(self.rules.fallback(reason, timings=Timings(queue_s=waited_s)))
