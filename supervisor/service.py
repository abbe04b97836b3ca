"""The gRPC face of the supervisor: requests in, answers out, and errors only for requests that are wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc

from mesh.errors import NotFound
from mesh.grpc_errors import for_caller, or_abort
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor.answer import Answer, RankedOffer, Source
from supervisor.cohort import Cohorts
from supervisor.game import Game, check_id

SERVICE_NAME = "mesh.v1.Offers"
MAX_STREAM_REQUESTS = 256
_log = logging.getLogger("supervisor.service")
_SOURCES = {Source.ENSEMBLE: wire.ENSEMBLE, Source.PARTIAL: wire.PARTIAL, Source.FALLBACK: wire.FALLBACK}
_Response = TypeVar("_Response", wire.GetOfferResponse, wire.ScoreResponse)


class OffersService(offers_pb2_grpc.OffersServicer):
    """`mesh.v1.Offers` over the games of this supervisor; a stream ends by itself after `stream_age_s`."""

    def __init__(self, games: Mapping[str, Game], cohorts: Cohorts, stream_age_s: float | None = None) -> None:
        self._games = games
        self._cohorts = cohorts
        self._stream_age_s = stream_age_s
        self._draining = False
        self._streams: set[OfferStream] = set()

    def drain(self) -> None:
        """Ends every stream once what was read from it is answered."""
        self._draining = True
        for stream in self._streams:
            stream.end()

    async def GetOffer(self, request: wire.GetOfferRequest, context: Any) -> wire.GetOfferResponse:
        """The best offers for a player."""
        return await or_abort(self._get_offer(request, context.time_remaining()), context, _log, "GetOffer")

    async def Score(self, request: wire.ScoreRequest, context: Any) -> wire.ScoreResponse:
        """The ensemble's combined score for a player."""
        return await or_abort(self._score(request, context.time_remaining()), context, _log, "Score")

    async def StreamOffers(self, _requests: object, context: Any) -> None:
        """GetOffer for each request of the stream, answered as they become ready."""
        stream = OfferStream(self._answer_on_stream)
        self._streams.add(stream)
        age = self._stream_age_s
        aged = None if age is None else asyncio.get_running_loop().call_later(age, stream.end)
        try:
            async with asyncio.TaskGroup() as tasks:
                stream.start(context, tasks)
                if self._draining:  # it came with the last calls
                    stream.end()
                while (response := await stream.next()) is not None:
                    await context.write(response)
        finally:
            self._streams.discard(stream)
            if aged is not None:
                aged.cancel()

    async def _get_offer(self, request: wire.GetOfferRequest, remaining_s: float | None) -> wire.GetOfferResponse:
        game = self._game(request)
        ensemble = game.ensemble(request.player_id, request.version)
        ticket = game.ticket_to_rank(request, remaining_s)
        answer = await ensemble.answer(ticket, self._cohorts)
        response = wire.GetOfferResponse(offers=[_offer(offer) for offer in answer.offers])
        return _describe(response, answer, ensemble.name, request.request_id)

    async def _score(self, request: wire.ScoreRequest, remaining_s: float | None) -> wire.ScoreResponse:
        game = self._game(request)
        ensemble = game.ensemble(request.player_id, request.version)
        ticket, offer_id = game.ticket_to_score(request, ensemble, remaining_s)
        answer = await ensemble.answer(ticket, self._cohorts)
        response = wire.ScoreResponse(score=answer.score, offer_id=offer_id)
        return _describe(response, answer, ensemble.name, request.request_id)

    async def _answer_on_stream(
        self, request: wire.GetOfferRequest, remaining_s: float | None
    ) -> wire.GetOfferResponse:
        try:
            check_id("request_id", request.request_id, required=True)
            return await self._get_offer(request, remaining_s)
        except Exception as error:  # the stream carries many callers: a bug in one answer must not end the others'
            failure = for_caller(error, _log, "StreamOffers")
            wire_error = wire.Error(code=failure.code.value[0], message=failure.reason)
            return wire.GetOfferResponse(request_id=request.request_id, error=wire_error)

    def _game(self, request: wire.GetOfferRequest | wire.ScoreRequest) -> Game:
        check_id("game", request.game, required=True)
        check_id("player_id", request.player_id, required=True)
        check_id("request_id", request.request_id, required=False)
        check_id("version", request.version, required=False)
        game = self._games.get(request.game)
        if game is None:
            raise NotFound(f"game: {request.game!r} is not served here; served: {', '.join(self._games)}")
        return game


class OfferStream:
    """One StreamOffers call: requests become tasks, at most `MAX_STREAM_REQUESTS` at a time; answers queue up."""

    def __init__(
        self, answer: Callable[[wire.GetOfferRequest, float | None], Awaitable[wire.GetOfferResponse]]
    ) -> None:
        self._answer = answer
        self._room = asyncio.Semaphore(MAX_STREAM_REQUESTS)
        self._ready: asyncio.Queue[wire.GetOfferResponse | None] = asyncio.Queue()
        self._open = 1  # the reader itself
        self._reader: asyncio.Task[None] | None = None

    def start(self, context: Any, tasks: asyncio.TaskGroup) -> None:
        """Begins to read, in `tasks`."""
        self._reader = tasks.create_task(self._read(context, tasks))
        self._reader.add_done_callback(lambda _: self._leave())

    def end(self) -> None:
        """Reads no further; what was read is answered."""
        if self._reader is not None:
            self._reader.cancel()

    async def next(self) -> wire.GetOfferResponse | None:
        """The next answer that is ready; None when the last request has its own."""
        response = await self._ready.get()
        if response is not None:
            self._room.release()
        return response

    async def _read(self, context: Any, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._room.acquire()  # without room the client waits, by gRPC's flow control
            request = await context.read()
            if request is grpc.aio.EOF:
                return
            self._open += 1
            tasks.create_task(self._serve(request, context.time_remaining()))

    async def _serve(self, request: wire.GetOfferRequest, remaining_s: float | None) -> None:
        self._ready.put_nowait(await self._answer(request, remaining_s))
        self._leave()

    def _leave(self) -> None:
        self._open -= 1
        if not self._open:
            self._ready.put_nowait(None)


def _describe(response: _Response, answer: Answer, version: str, request_id: str) -> _Response:
    response.source = _SOURCES[answer.source]
    response.version = version
    response.request_id = request_id
    response.unknown_player = answer.unknown_player
    if answer.reason is not None:
        response.reason = str(answer.reason)
    if answer.features_age_s is not None:
        response.features_age_ms = int(answer.features_age_s * 1000)
    for model, reason in answer.missing:
        response.missing_models.add(model=model, reason=reason)
    times = answer.timings
    response.timings.queue_ms = times.queue_s * 1000
    response.timings.features_ms = times.features_s * 1000
    response.timings.fan_out_ms = times.fan_out_s * 1000
    response.timings.combine_ms = times.combine_s * 1000
    response.timings.total_ms = times.total_s * 1000
    response.timings.last_model = times.last_model
    return response


def _offer(offer: RankedOffer) -> wire.RankedOffer:
    return wire.RankedOffer(offer_id=offer.offer_id, score=offer.score, expected_revenue=offer.expected_revenue)
