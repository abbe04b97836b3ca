"""Supervisors on real sockets that answer as a scenario says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc

from loadtest.clients.scenarios import Behaviour
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

Answering = Callable[[wire.GetOfferRequest], Awaitable["wire.GetOfferResponse | None"]]


async def at_once(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
    """Answers with one offer of the whole ensemble."""
    offers = [wire.RankedOffer(offer_id="best", score=0.5)]
    return wire.GetOfferResponse(request_id=request.request_id, source=wire.ENSEMBLE, offers=offers, decision_id="d")


class Scripted(offers_pb2_grpc.OffersServicer):
    """Answers each request by `answer`; None: never. `requests` has what came."""

    def __init__(self, answer: Answering = at_once) -> None:
        self.answer = answer
        self.requests: list[wire.GetOfferRequest] = []
        self.outcomes: list[wire.ReportOutcomeRequest] = []
        self.outcome_errors: list[wire.Error] = []  # for the next reports
        self.address = ""
        self.streams = 0
        self._ends: list[asyncio.Future[grpc.StatusCode]] = []

    def end(self, status: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        """Ends every open stream."""
        for end in self._ends:
            if not end.done():
                end.set_result(status)
        self._ends.clear()

    async def StreamOffers(self, _requests: object, context: Any) -> None:  # noqa: N802 (a gRPC method)
        """Answers the requests of a stream until `end`."""
        self.streams += 1
        end = asyncio.get_running_loop().create_future()
        self._ends.append(end)
        replies: asyncio.Queue[wire.GetOfferResponse] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            working = [
                tasks.create_task(self._read(context, replies, tasks)),
                tasks.create_task(_write(context, replies)),
            ]
            status = await end
            for task in working:
                task.cancel()
        if status is not grpc.StatusCode.OK:
            await context.abort(status, "as the scenario says")

    async def StreamOutcomes(self, _requests: object, context: Any) -> None:  # noqa: N802 (a gRPC method)
        """Takes the reports of a stream."""
        while (report := await context.read()) is not grpc.aio.EOF:
            response = wire.ReportOutcomeResponse(outcome_id=report.outcome_id)
            if self.outcome_errors:
                response.error.CopyFrom(self.outcome_errors.pop(0))
            else:
                self.outcomes.append(report)
            await context.write(response)

    async def _read(
        self, context: Any, replies: asyncio.Queue[wire.GetOfferResponse], tasks: asyncio.TaskGroup
    ) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            self.requests.append(request)
            tasks.create_task(self._reply(request, replies))

    async def _reply(self, request: wire.GetOfferRequest, replies: asyncio.Queue[wire.GetOfferResponse]) -> None:
        response = await self.answer(request)
        if response is not None:
            replies.put_nowait(response)


async def _write(context: Any, replies: asyncio.Queue[wire.GetOfferResponse]) -> None:
    while True:
        await context.write(await replies.get())


@contextlib.asynccontextmanager
async def scripted(
    answer: Answering = at_once, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Scripted]:
    """Runs a scripted supervisor while the block lasts; without `credentials`, in plaintext."""
    servicer = Scripted(answer)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    offers_pb2_grpc.add_OffersServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    servicer.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield servicer
    finally:
        servicer.end()
        await server.stop(0)


@contextlib.asynccontextmanager
async def behaving(behaviours: Sequence[Behaviour]) -> AsyncIterator[list[Scripted]]:
    """Runs a scripted supervisor for each of `behaviours`. Their times begin when the first request comes."""
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        supervisors = [await stack.enter_async_context(scripted(_answering(one))) for one in behaviours]
        endless = [
            tasks.create_task(_end_again_and_again(supervisor, one))
            for supervisor, one in zip(supervisors, behaviours, strict=True)
            if one.end_streams_s or one.lose_streams_s
        ]
        yield supervisors
        for task in endless:
            task.cancel()


async def _end_again_and_again(supervisor: Scripted, behaviour: Behaviour) -> None:
    status = grpc.StatusCode.OK if behaviour.end_streams_s else grpc.StatusCode.UNAVAILABLE
    while True:
        await asyncio.sleep(behaviour.end_streams_s or behaviour.lose_streams_s)
        supervisor.end(status)


def _delay_ms(behaviour: Behaviour, count: int, player_id: str) -> float:
    if behaviour.slow_every and count % behaviour.slow_every == 0:
        return behaviour.slow_ms
    if behaviour.slow_player_every and int(player_id.rpartition("-")[2]) % behaviour.slow_player_every == 0:
        return behaviour.slow_ms
    return behaviour.delay_ms


def _answering(behaviour: Behaviour) -> Answering:
    loop, count = asyncio.get_running_loop(), 0
    began_s: float | None = None

    async def answer(request: wire.GetOfferRequest) -> wire.GetOfferResponse | None:
        nonlocal count, began_s
        count += 1
        began_s = loop.time() if began_s is None else began_s
        if behaviour.silent or loop.time() - began_s < behaviour.silent_until_s:
            return None
        if behaviour.refuse:
            error = wire.Error(code=behaviour.refuse, message="as the scenario says")
            return wire.GetOfferResponse(request_id=request.request_id, error=error)
        await asyncio.sleep(_delay_ms(behaviour, count, request.player_id) / 1000)
        return await at_once(request)

    return answer
