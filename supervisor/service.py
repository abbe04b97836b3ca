"""gRPC service `mesh.v1.Offers`: a wrong request gets a gRPC error, any other request gets an answer.

Overload, missing votes, and a bug on a journey give the fallback. Only a bug outside a journey gives INTERNAL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mesh.errors import NotFound
from mesh.grpc_errors import or_abort, status_for_caller
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor import messages
from supervisor.answers import Answer
from supervisor.cohort import Cohorts
from supervisor.ensemble import Ensemble
from supervisor.game import Game
from supervisor.offer_stream import OfferStream
from supervisor.outcomes.service import OutcomeService
from supervisor.query import check_id
from supervisor.ticket import Ticket

SERVICE_NAME = "mesh.v1.Offers"
Rest = Callable[[], Awaitable[bytes]]  # waits for the encoded response to an admitted request
_log = logging.getLogger("supervisor.service")


class OffersService(offers_pb2_grpc.OffersServicer):
    """Answers for the games of this supervisor. Ends each stream after `stream_age_s`; None: never.

    `outcomes` takes the reports of outcomes.
    """

    def __init__(
        self,
        games: Mapping[str, Game],
        cohorts: Cohorts,
        outcomes: OutcomeService,
        stream_age_s: float | None = None,
    ) -> None:
        self._games = games
        self._cohorts = cohorts
        self._outcomes = outcomes
        self._stream_age_s = stream_age_s
        self._draining = False
        self._streams: set[OfferStream] = set()

    @property
    def longest_s(self) -> float:
        """The time of a request without a deadline."""
        return max(game.catalog.budget_ms for game in self._games.values()) / 1000

    def drain(self) -> None:
        """Ends every stream, once the requests that were read from it are answered."""
        self._draining = True
        for stream in self._streams:
            stream.end()
        self._outcomes.drain()

    async def GetOffer(self, request: wire.GetOfferRequest, context: Any) -> wire.GetOfferResponse:
        """Returns the best offers for a player."""
        return await or_abort(self._get_offer(request, context.time_remaining()), context, _log, "GetOffer")

    async def Score(self, request: wire.ScoreRequest, context: Any) -> wire.ScoreResponse:
        """Returns the ensemble's combined score for a player."""
        return await or_abort(self._score(request, context.time_remaining()), context, _log, "Score")

    async def StreamOffers(self, _requests: object, context: Any) -> None:
        """Answers each request of the stream as GetOffer does, as soon as its answer is ready."""
        stream = OfferStream(self._answer_on_stream)
        self._streams.add(stream)
        age_s = self._stream_age_s
        age_timer = None if age_s is None else asyncio.get_running_loop().call_later(age_s, stream.end)
        try:
            async with asyncio.TaskGroup() as tasks:
                stream.start(context, tasks)
                if self._draining:  # the call arrived while the server was draining
                    stream.end()
                while (response := await stream.next()) is not None:
                    await context.write(response)
        finally:
            self._streams.discard(stream)
            if age_timer is not None:
                age_timer.cancel()

    async def ReportOutcome(self, request: wire.ReportOutcomeRequest, context: Any) -> wire.ReportOutcomeResponse:
        """Takes the report of an outcome."""
        return await or_abort(self._outcomes.take(request), context, _log, "ReportOutcome")

    async def StreamOutcomes(self, _requests: object, context: Any) -> None:
        """Takes each report of the stream as ReportOutcome does; reads the stream while offers leave CPU for it."""
        await or_abort(self._outcomes.serve_stream(context), context, _log, "StreamOutcomes")

    def begin_get_offer(self, request: bytes, remaining_s: float | None) -> bytes | Rest:
        """Begins an encoded GetOffer request: returns the response if it is refused, else what waits for it.

        Raises MeshError.
        """
        parsed = messages.parse(wire.GetOfferRequest, request)
        ensemble, ticket = self._offer_ticket(parsed, remaining_s)
        refused = ensemble.refuse_or_admit(ticket, self._cohorts)

        def encoded(answer: Answer, total_s: float) -> bytes:
            return messages.offer_response(
                answer, total_s, ensemble.name, parsed.request_id, ticket.decision_id
            ).SerializeToString()

        return _or_wait(ensemble, ticket, refused, encoded)

    def begin_score(self, request: bytes, remaining_s: float | None) -> bytes | Rest:
        """Begins an encoded Score request, as `begin_get_offer` does."""
        parsed = messages.parse(wire.ScoreRequest, request)
        ensemble, ticket, offer_id = self._score_ticket(parsed, remaining_s)
        refused = ensemble.refuse_or_admit(ticket, self._cohorts)

        def encoded(answer: Answer, total_s: float) -> bytes:
            response = messages.score_response(
                answer, total_s, ensemble.name, parsed.request_id, ticket.decision_id, offer_id
            )
            return response.SerializeToString()

        return _or_wait(ensemble, ticket, refused, encoded)

    async def _get_offer(self, request: wire.GetOfferRequest, remaining_s: float | None) -> wire.GetOfferResponse:
        ensemble, ticket = self._offer_ticket(request, remaining_s)
        answer, total_s = await ensemble.answer(ticket, self._cohorts)
        return messages.offer_response(answer, total_s, ensemble.name, request.request_id, ticket.decision_id)

    async def _score(self, request: wire.ScoreRequest, remaining_s: float | None) -> wire.ScoreResponse:
        ensemble, ticket, offer_id = self._score_ticket(request, remaining_s)
        answer, total_s = await ensemble.answer(ticket, self._cohorts)
        return messages.score_response(answer, total_s, ensemble.name, request.request_id, ticket.decision_id, offer_id)

    def _offer_ticket(self, request: wire.GetOfferRequest, remaining_s: float | None) -> tuple[Ensemble, Ticket]:
        game = self._checked_game(request)
        query = messages.offer_query(request)
        return game.ensemble(query.player_id, query.version), game.ticket_to_rank(query, remaining_s)

    def _score_ticket(self, request: wire.ScoreRequest, remaining_s: float | None) -> tuple[Ensemble, Ticket, str]:
        game = self._checked_game(request)
        query = messages.score_query(request)
        ensemble = game.ensemble(query.player_id, query.version)
        ticket, offer_id = game.ticket_to_score(query, ensemble, remaining_s)
        return ensemble, ticket, offer_id

    async def _answer_on_stream(
        self, request: wire.GetOfferRequest, remaining_s: float | None
    ) -> wire.GetOfferResponse:
        try:
            check_id("request_id", request.request_id, required=True)
            return await self._get_offer(request, _until_deadline_s(request, remaining_s))
        except Exception as error:  # many callers share the stream: a bug in one answer must not end the others
            code, text = status_for_caller(error, _log, "StreamOffers")
        wire_error = wire.Error(code=code.value[0], message=text)
        return wire.GetOfferResponse(request_id=request.request_id, error=wire_error)

    def _checked_game(self, request: wire.GetOfferRequest | wire.ScoreRequest) -> Game:
        """Checks the ids in `request` and returns its game. Raises WrongRequest or NotFound."""
        check_id("game", request.game, required=True)
        check_id("player_id", request.player_id, required=True)
        check_id("request_id", request.request_id, required=False)
        check_id("version", request.version, required=False)
        game = self._games.get(request.game)
        if game is None:
            raise NotFound(f"game: {request.game!r} is not served here; served: {', '.join(self._games)}")
        return game


def _until_deadline_s(request: wire.GetOfferRequest, remaining_s: float | None) -> float | None:
    """Returns the time for the answer to a request on a stream, which has `remaining_s` itself; None: no deadline."""
    if not request.deadline_ms:
        return remaining_s
    within_s = request.deadline_ms / 1000
    return within_s if remaining_s is None else min(within_s, remaining_s)


def _or_wait(
    ensemble: Ensemble, ticket: Ticket, refused: tuple[Answer, float] | None, encoded: Callable[[Answer, float], bytes]
) -> bytes | Rest:
    if refused is not None:
        return encoded(*refused)

    async def rest() -> bytes:
        return encoded(*await ensemble.answer_admitted(ticket))

    return rest
