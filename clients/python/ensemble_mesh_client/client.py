"""The client: asks the supervisor of the player, another one if that fails, and answers by itself at the deadline."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from ensemble_mesh_client.addresses import Addresses
from ensemble_mesh_client.answer import Answer, local, of_response
from ensemble_mesh_client.errors import RESOURCE_EXHAUSTED, WRONG_CODES, WrongRequest
from ensemble_mesh_client.hedging import AnswerTimes, HedgeBudget
from ensemble_mesh_client.outcomes import OutcomeCounts, OutcomeReports
from ensemble_mesh_client.preference import choose, ordered
from ensemble_mesh_client.question import MOST_SENDINGS, Question, Value, request_of
from ensemble_mesh_client.security import Security
from ensemble_mesh_client.supervisor import Supervisor
from ensemble_mesh_client.supervisors import Supervisors
from ensemble_mesh_client.wire import offers_pb2 as wire

TICK_S = 0.01  # between two looks for stalled supervisors
FIRST_HEDGE_SHARE = 0.3  # of the deadline, until the p95 is learnt
MOST_WAITING = 10_000
CLOSED, NOT_CONNECTED = "the client is closed", "no supervisor is connected"
CONNECTION_LOST, NOT_IN_TIME = "the connection was lost", "no answer in time"


class OfferClient:
    """Asks the supervisors at `targets` for the offers of `game`. Use it as an async context manager.

    `targets`: addresses such as `10.0.0.7:9000`, or names that DNS resolves to all supervisors. `fallback` is the offer
    to show if the mesh does not answer within `deadline_s`. `hedge_percent` of the questions may go to a second
    supervisor when the first is slow. `links`: connections to each supervisor. Without `security`, connections are
    plaintext.
    """

    def __init__(
        self,
        targets: str | Sequence[str],
        *,
        game: str,
        fallback: str,
        deadline_s: float = 0.25,
        security: Security | None = None,
        links: int = 2,
        hedge_percent: float = 2.0,
        connect_s: float = 5.0,
    ) -> None:
        self._game = game
        self._fallback = fallback
        self._deadline_s = deadline_s
        self._connect_s = connect_s
        self._supervisors = Supervisors(lambda address: Supervisor(address, links, security, self), deadline_s)
        self._addresses = Addresses(targets, self._supervisors.on_addresses)
        self._last_failure = ""  # of a connection, since the last answer
        self._open: set[Question] = set()
        self._waiting: dict[Question, None] = {}  # no supervisor is connected and has room
        self._is_closed = False
        self._times = AnswerTimes(FIRST_HEDGE_SHARE * deadline_s)
        self._budget = HedgeBudget(hedge_percent)
        self._numbers = itertools.count(1)
        self._prefix = os.urandom(6).hex()
        self._connected = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._outcomes = OutcomeReports(game, self._supervisors.any_usable, security)

    async def __aenter__(self) -> Self:
        """Connects, for at most `connect_s`. Without a connection, the answers are fallbacks until there is one."""
        works = (self._addresses.follow(), self._watch(), self._outcomes.run())
        self._tasks = [asyncio.create_task(work) for work in works]
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._connect_s):
                    await self._connected.wait()
        except BaseException:  # cancelled: __aexit__ will not be called
            await self._close()
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Sends the outcomes that wait, for a second at most; answers the open questions; closes all connections."""
        await self._outcomes.close()
        await self._close()

    async def _close(self) -> None:
        self._is_closed = True
        for question in list(self._open):
            self._settle(question, local(self._fallback, CLOSED))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._supervisors.close()

    async def get_offer(
        self,
        player_id: str,
        *,
        context: Mapping[str, Value] | None = None,
        offer_ids: Sequence[str] = (),
        limit: int = 1,
        version: str = "",
        deadline_s: float | None = None,
        traceparent: str = "",
    ) -> Answer:
        """Returns the best offers for a player, within `deadline_s` from now.

        The fields are those of GetOfferRequest. Raises WrongRequest if the mesh calls the request wrong, or if it
        cannot be encoded; every other failure gives the fallback, whose source is LOCAL.
        """
        loop = asyncio.get_running_loop()
        within_s = self._deadline_s if deadline_s is None else deadline_s
        request = request_of(
            context or {},
            game=self._game,
            player_id=player_id,
            offer_ids=offer_ids,
            limit=limit,
            version=version,
            request_id=f"{self._prefix}-{next(self._numbers)}",
            traceparent=traceparent,
            deadline_ms=max(1, int(within_s * 1000)),
        )
        if self._is_closed:
            return local(self._fallback, CLOSED)
        question = Question(request, loop.time() + within_s, loop.create_future())
        self._open.add(question)
        self._budget.record_request()
        self._ask(question)
        expiry = loop.call_at(question.deadline_s, self._expire, question)
        hedge = loop.call_later(self._times.p95_s, self._hedge, question)
        try:
            return await question.answer
        finally:
            expiry.cancel()
            hedge.cancel()
            self._open.discard(question)
            self._forget(question)

    def report_outcome(self, outcome: wire.ReportOutcomeRequest) -> None:
        """Reports an outcome in the background; a report that cannot be sent is repeated. The game may be left out."""
        self._outcomes.add(outcome)

    @property
    def outcomes(self) -> OutcomeCounts:
        """How many reports a supervisor has taken, how many wait, and how many were dropped."""
        return self._outcomes.counts

    # Events of the supervisors.

    def on_up(self) -> None:
        """A supervisor can take questions."""
        self._connected.set()
        self.on_room()

    def on_room(self) -> None:
        """Asks the questions that wait, the oldest first, while a supervisor has room."""
        while self._waiting and self._supervisors.are_connected:
            question = next(iter(self._waiting))
            del self._waiting[question]
            self._ask(question)

    def on_response(self, supervisor: Supervisor, question: Question, response: wire.GetOfferResponse) -> None:
        """Settles `question`, or asks another supervisor after an internal error."""
        now_s = asyncio.get_running_loop().time()
        asked_s = question.asked.pop(supervisor, now_s)
        self._last_failure = ""
        code = response.error.code
        if not code:
            supervisor.health.record_success()
            self._times.record(now_s - asked_s)
            if question.hedged not in (None, supervisor):
                self._budget.record_useless()
            self._settle(question, of_response(response, self._fallback))
        elif code in WRONG_CODES:
            supervisor.health.record_success()
            if question.is_open:
                question.answer.set_exception(WrongRequest(code, response.error.message))
                self._forget(question)
        elif code == RESOURCE_EXHAUSTED:
            self._refuse(question, response.error.message)
        else:
            supervisor.health.record_failure(now_s)
            self._ask_again(question, supervisor, response.error.message)

    def on_lost(self, supervisor: Supervisor, question: Question, is_overload: bool) -> None:
        """Asks another supervisor, unless the loss means overload."""
        question.asked.pop(supervisor, None)
        if is_overload:
            self._refuse(question, "the supervisor refused the stream")
        else:
            self._ask_again(question, supervisor, self._because(CONNECTION_LOST))

    def on_failure(self, failure: str) -> None:
        """A connection failed: the reason of local answers, until a supervisor answers."""
        self._last_failure = failure

    # Asking.

    def _ask(self, question: Question, but: Supervisor | None = None) -> None:
        """Sends `question` to the first supervisor of its player that has not got it; lets it wait if there is none."""
        now_s = asyncio.get_running_loop().time()
        if not question.preference:
            question.preference = ordered(
                question.request.player_id, self._supervisors, lambda supervisor: supervisor.hash
            )
        first = (
            self._choose(question, now_s, but)
            or self._choose(question, now_s, None)
            or choose(question.preference, lambda one: one.is_connected, lambda one: one.open_questions)
        )
        if first is None:
            self._wait(question)
            return
        first.ask(question, now_s)
        self._probe(question, now_s)

    def _choose(self, question: Question, now_s: float, but: Supervisor | None) -> Supervisor | None:
        return choose(
            question.preference,
            lambda one: one is not but and one not in question.asked and one.is_usable(now_s),
            lambda one: one.open_questions,
        )

    def _ask_again(self, question: Question, but: Supervisor, why: str) -> None:
        if not question.is_open or question.asked:  # another supervisor has it
            return
        if question.sendings >= MOST_SENDINGS:
            self._settle(question, local(self._fallback, why))
        else:
            self._ask(question, but)

    def _refuse(self, question: Question, why: str) -> None:
        """Overload is not retried; but another supervisor that has the question may answer."""
        if not question.asked:
            self._settle(question, local(self._fallback, f"overloaded: {why}"))

    def _wait(self, question: Question) -> None:
        question.preference = ()  # other supervisors may be known when it is asked
        if len(self._waiting) < MOST_WAITING:
            self._waiting[question] = None
        else:
            self._settle(question, local(self._fallback, self._because(NOT_CONNECTED)))

    def _probe(self, question: Question, now_s: float) -> None:
        """Sends a copy to a stalled supervisor now and then: its answer shows that it works again."""
        for one in question.preference:
            if one.is_connected and one not in question.asked and one.health.takes_probe(now_s):
                one.ask(question, now_s)
                return

    def _hedge(self, question: Question) -> None:
        now_s = asyncio.get_running_loop().time()
        if question.is_open and len(question.asked) == 1 and question.sendings < MOST_SENDINGS:
            second = self._choose(question, now_s, None)
            if second is not None and self._budget.take():
                question.hedged = second
                second.ask(question, now_s)

    async def _watch(self) -> None:
        """Takes the questions of a stalled supervisor to the others."""
        while True:
            await asyncio.sleep(TICK_S)
            now_s = asyncio.get_running_loop().time()
            for supervisor in self._supervisors:
                for question in supervisor.stalled_questions(now_s, self._times.p95_s):
                    other = self._choose(question, now_s, supervisor)
                    if question.is_open and other is not None and question.sendings < MOST_SENDINGS:
                        other.ask(question, now_s)

    # Ending.

    def _expire(self, question: Question) -> None:
        now_s = asyncio.get_running_loop().time()
        for supervisor in question.asked:
            supervisor.health.record_failure(now_s)
        why = self._because(NOT_IN_TIME if question.asked else NOT_CONNECTED)
        self._settle(question, local(self._fallback, why))

    def _settle(self, question: Question, answer: Answer) -> None:
        if question.is_open:
            question.answer.set_result(answer)
            self._forget(question)

    def _forget(self, question: Question) -> None:
        self._waiting.pop(question, None)
        for supervisor in question.asked:
            supervisor.forget(question)

    def _because(self, why: str) -> str:
        return f"{why}: {self._last_failure}" if self._last_failure else why
