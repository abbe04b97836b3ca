"""A supervisor on a real socket that behaves as a test says: the test sets `answer`, which gets each request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

Answering = Callable[[wire.GetOfferRequest], Awaitable[wire.GetOfferResponse | None]]


async def at_once(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
    """Answers with one offer of the whole ensemble."""
    offers = [wire.RankedOffer(offer_id="best", score=0.5)]
    return wire.GetOfferResponse(request_id=request.request_id, source=wire.ENSEMBLE, offers=offers, decision_id="d")


class Scripted(offers_pb2_grpc.OffersServicer):
    """Answers each request by `answer`; None: never. `requests` has what came. `end` ends the streams with `status`."""

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

    async def StreamOffers(self, _requests: object, context: Any) -> None:
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
            await context.abort(status, "as the test says")

    async def StreamOutcomes(self, _requests: object, context: Any) -> None:
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
async def scripted(answer: Answering = at_once) -> AsyncIterator[Scripted]:
    """Runs a scripted supervisor while the block lasts."""
    servicer = Scripted(answer)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    offers_pb2_grpc.add_OffersServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield servicer
    finally:
        servicer.end()
        await server.stop(0)
