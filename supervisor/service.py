"""gRPC service `mesh.v1.Offers`: a wrong request gets a gRPC error, any other request gets an answer.

Overload, missing votes, and a bug on a journey give the fallback. Only a bug outside a journey gives INTERNAL. The
methods receive bytes, because a call is admitted before its request is parsed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import grpc

from mesh.bounded_calls import MAX_STREAMS, Reading, unary_handler
from mesh.errors import MeshError, NotFound, Overloaded
from mesh.grpc_errors import or_abort, status_for_caller
from mesh.tracing.traceparent import sent_in
from mesh.wire import offers_pb2 as wire
from supervisor import messages
from supervisor.answers import Answer
from supervisor.callers.game_callers import GameCaller
from supervisor.callers.gate import CallerGate, Rpc
from supervisor.callers.metrics import RESULTS, Result
from supervisor.callers.recognition import Admission
from supervisor.callers.stream_caller import StreamCaller
from supervisor.cohort import Cohorts
from supervisor.ensemble import Ensemble
from supervisor.game import Game
from supervisor.intake import Begin, Rest
from supervisor.offer_stream import OfferStream
from supervisor.outcomes.service import OutcomeService
from supervisor.query import check_id
from supervisor.raw_call import RawCall
from supervisor.stream_turns import StreamTurns
from supervisor.ticket import Ticket
from supervisor.tracing.tracer import Tracer

SERVICE_NAME = "mesh.v1.Offers"
TOO_MANY_STREAMS = f"overloaded: {MAX_STREAMS} streams of offers are open; send more requests on each stream"
# One caller alone cannot open all streams: the others need some.
MAX_CALLER_STREAMS = MAX_STREAMS // 2
TOO_MANY_OF_CALLER = f"overloaded: this caller has {MAX_CALLER_STREAMS} streams of offers; send more requests on each"
_RPCS: Mapping[str, Rpc] = {f"/{SERVICE_NAME}/GetOffer": "GetOffer", f"/{SERVICE_NAME}/Score": "Score"}
_Enter = Callable[[Game, str], "GameCaller | None"]  # of a game and a pinned version
_Ticketed = TypeVar("_Ticketed", bound=tuple[Ensemble, Ticket] | tuple[Ensemble, Ticket, str])
_log = logging.getLogger("supervisor.service")


class OffersService:
    """Answers for the games of this supervisor. Ends each stream after `stream_age_s`; None: never.

    `outcomes` takes the reports of outcomes. `gate` recognises the callers. `tracer` begins
    traces; None: there are none.
    """

    def __init__(
        self,
        games: Mapping[str, Game],
        cohorts: Cohorts,
        outcomes: OutcomeService,
        gate: CallerGate,
        stream_age_s: float | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._games = games
        self._cohorts = cohorts
        self._outcomes = outcomes
        self._gate = gate
        self._stream_age_s = stream_age_s
        self._tracer = tracer
        self._draining = False
        self._streams: dict[OfferStream, str | None] = {}  # with the names of their callers
        self._turns = StreamTurns()

    @property
    def longest_s(self) -> float:
        """The time of a request without a deadline."""
        return max(game.catalog.budget_ms for game in self._games.values()) / 1000

    @property
    def unary_methods(self) -> Mapping[str, Begin]:
        """The methods of `Intake`, by full name."""
        return {f"/{SERVICE_NAME}/GetOffer": self.begin_get_offer, f"/{SERVICE_NAME}/Score": self.begin_score}

    def admit(self, call: RawCall) -> Admission | None:
        """Admits a call of one of `unary_methods`, before its request is read. Raises MeshError."""
        if self._tracer is not None:
            call.traceparent = sent_in(call.invocation_metadata())
        return self._gate.admit(call, _RPCS[call.method])

    def attach(self, server: grpc.aio.Server) -> None:
        """Adds the methods to `server`."""
        reading = Reading()
        stream: Any = grpc.stream_stream_rpc_method_handler
        unary = (self.GetOffer, self.Score, self.ReportOutcome)
        handlers = {method.__name__: unary_handler(method, reading) for method in unary}
        handlers |= {method.__name__: stream(method) for method in (self.StreamOffers, self.StreamOutcomes)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))
        server.add_registered_method_handlers(SERVICE_NAME, handlers)

    def drain(self) -> None:
        """Ends every stream, once the requests that were read from it are answered."""
        self._draining = True
        for stream in self._streams:
            stream.end()
        self._outcomes.drain()

    async def GetOffer(self, request: bytes, context: Any) -> bytes:
        """Returns the best offers for a player. `Intake` answers the calls if it knows grpcio."""
        return await or_abort(
            self._unary("GetOffer", self.begin_get_offer, request, context), context, _log, "GetOffer"
        )

    async def Score(self, request: bytes, context: Any) -> bytes:
        """Returns the ensemble's combined score for a player. `Intake` answers the calls if it knows grpcio."""
        return await or_abort(self._unary("Score", self.begin_score, request, context), context, _log, "Score")

    async def StreamOffers(self, _requests: object, context: Any) -> None:
        """Answers each request of the stream as GetOffer does, as soon as its answer is ready.

        Bytes that cannot be parsed end the stream, after the answers to the requests before them.
        """
        caller = await or_abort(self._recognised(context), context, _log, "StreamOffers")
        name = caller.name
        if len(self._streams) >= MAX_STREAMS:
            await context.abort(Overloaded.code, TOO_MANY_STREAMS)
        if name is not None and list(self._streams.values()).count(name) >= MAX_CALLER_STREAMS:
            await context.abort(Overloaded.code, TOO_MANY_OF_CALLER)
        turn = None if name is None else partial(self._turns.next, name)
        stream = OfferStream(
            lambda request, remaining_s: self._answer_on_stream(request, remaining_s, caller.enter), turn
        )
        self._streams[stream] = name
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
            del self._streams[stream]
            if age_timer is not None:
                age_timer.cancel()
        if stream.fault is not None:
            await context.abort(stream.fault.code, stream.fault.reason)

    async def ReportOutcome(self, request: bytes, context: Any) -> bytes:
        """Takes the report of an outcome."""
        return await or_abort(self._outcomes.take(request, context), context, _log, "ReportOutcome")

    async def StreamOutcomes(self, _requests: object, context: Any) -> None:
        """Takes each report of the stream as ReportOutcome does; reads the stream while offers leave CPU for it."""
        await or_abort(self._outcomes.serve_stream(context), context, _log, "StreamOutcomes")

    def begin_get_offer(
        self, request: bytes, remaining_s: float | None, admission: Admission | None, traceparent: str = ""
    ) -> bytes | Rest:
        """Begins an encoded GetOffer request: returns the response if it is refused, else what waits for it.

        `traceparent` is the trace context in the metadata of the call. Raises MeshError.
        """
        parsed = messages.parse(wire.GetOfferRequest, request)
        return self._begin_offer(
            parsed,
            remaining_s,
            lambda game, version: self._gate.enter(game, admission, "GetOffer", version),
            traceparent,
        )

    def begin_score(
        self, request: bytes, remaining_s: float | None, admission: Admission | None, traceparent: str = ""
    ) -> bytes | Rest:
        """Begins an encoded Score request, as `begin_get_offer` does."""
        parsed = messages.parse(wire.ScoreRequest, request)
        game = self._checked_game(parsed)
        caller = self._gate.enter(game, admission, "Score", parsed.version)
        ensemble, ticket, offer_id = _of_caller(caller, lambda: _score_ticket(game, parsed, remaining_s))
        if self._tracer is not None:
            ticket.trace = self._tracer.begin(traceparent)

        def encoded(answer: Answer, total_s: float) -> bytes:
            return messages.score_response(
                answer, total_s, ensemble.name, parsed.request_id, ticket.decision_id, offer_id
            ).SerializeToString()

        return self._begun(ensemble, ticket, caller, encoded)

    def _begin_offer(
        self, request: wire.GetOfferRequest, remaining_s: float | None, enter: _Enter, traceparent: str = ""
    ) -> bytes | Rest:
        game = self._checked_game(request)
        caller = enter(game, request.version)
        ensemble, ticket = _of_caller(caller, lambda: _offer_ticket(game, request, remaining_s))
        if self._tracer is not None:
            ticket.trace = self._tracer.begin(request.traceparent or traceparent)

        def encoded(answer: Answer, total_s: float) -> bytes:
            return messages.offer_response(
                answer, total_s, ensemble.name, request.request_id, ticket.decision_id
            ).SerializeToString()

        return self._begun(ensemble, ticket, caller, encoded)

    def _begun(
        self,
        ensemble: Ensemble,
        ticket: Ticket,
        caller: GameCaller | None,
        encoded: Callable[[Answer, float], bytes],
    ) -> bytes | Rest:
        """Refuses `ticket`, or admits it to a cohort. Counts the answer for `caller`."""

        def counted(answer: Answer, total_s: float) -> bytes:
            if caller is not None:
                caller.counts.count(RESULTS[answer.source])
            return encoded(answer, total_s)

        refused = ensemble.refuse_or_admit(ticket, self._cohorts)
        if refused is not None:
            return counted(*refused)

        async def rest() -> bytes:
            return counted(*await ensemble.answer_admitted(ticket))

        return rest

    async def _unary(self, rpc: Rpc, begin: Begin, request: bytes, context: Any) -> bytes:
        traceparent = "" if self._tracer is None else sent_in(context.invocation_metadata())
        outcome = begin(request, context.time_remaining(), self._gate.admit(context, rpc), traceparent)
        return outcome if isinstance(outcome, bytes) else await outcome()

    async def _recognised(self, context: Any) -> StreamCaller:
        return StreamCaller(self._gate, context, "StreamOffers")

    async def _answer_on_stream(self, request: wire.GetOfferRequest, remaining_s: float | None, enter: _Enter) -> bytes:
        try:
            check_id("request_id", request.request_id, required=True)
            outcome = self._begin_offer(request, _until_deadline_s(request, remaining_s), enter)
            return outcome if isinstance(outcome, bytes) else await outcome()
        except Exception as error:  # many callers share the stream: a bug in one answer must not end the others
            code, text, _ = status_for_caller(error, _log, "StreamOffers")
        wire_error = wire.Error(code=code.value[0], message=text)
        return wire.GetOfferResponse(request_id=request.request_id, error=wire_error).SerializeToString()

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


def _offer_ticket(game: Game, request: wire.GetOfferRequest, remaining_s: float | None) -> tuple[Ensemble, Ticket]:
    query = messages.offer_query(request)
    return game.ensemble(query.player_id, query.version), game.ticket_to_rank(query, remaining_s)


def _score_ticket(game: Game, request: wire.ScoreRequest, remaining_s: float | None) -> tuple[Ensemble, Ticket, str]:
    query = messages.score_query(request)
    ensemble = game.ensemble(query.player_id, query.version)
    ticket, offer_id = game.ticket_to_score(query, ensemble, remaining_s)
    return ensemble, ticket, offer_id


def _of_caller(caller: GameCaller | None, make: Callable[[], _Ticketed]) -> _Ticketed:
    """Returns what `make` returns, with the name and the share of `caller` on the ticket. Counts a wrong request."""
    if caller is None:
        return make()
    try:
        made = make()
    except MeshError:
        caller.counts.count(Result.WRONG)
        raise
    ticket = made[1]
    ticket.caller, ticket.weight, ticket.is_critical = caller.name, caller.rights.weight, caller.rights.critical
    return made
