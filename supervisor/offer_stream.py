"""One StreamOffers call: many requests under way on one stream, answered in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from mesh.errors import WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor import messages

MAX_STREAM_REQUESTS = 256


class OfferStream:
    """Reads requests, answers each in a task of its own, and queues the responses.

    At most `MAX_STREAM_REQUESTS` requests are read and not yet returned. `answer` returns the encoded response, and
    must not raise. `turn` waits, before each request, until the stream may read it. `fault` is set if bytes that cannot
    be parsed have ended the reading.
    """

    def __init__(
        self,
        answer: Callable[[wire.GetOfferRequest, float | None], Awaitable[bytes]],
        turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.fault: WrongRequest | None = None
        self._answer = answer
        self._turn = turn
        self._room = asyncio.Semaphore(MAX_STREAM_REQUESTS)
        self._ready: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open_tasks = 1  # the reader itself
        self._reader: asyncio.Task[None] | None = None

    def start(self, context: Any, tasks: asyncio.TaskGroup) -> None:
        """Starts to read the requests of the call, in a task of `tasks`."""
        self._reader = tasks.create_task(self._read(context, tasks))
        self._reader.add_done_callback(lambda _: self._end_task())

    def end(self) -> None:
        """Stops reading. The requests that were read are answered."""
        if self._reader is not None:
            self._reader.cancel()

    async def next(self) -> bytes | None:
        """Returns the next response that is ready; None when every request is answered and reading has ended."""
        response = await self._ready.get()
        if response is not None:
            self._room.release()
        return response

    async def _read(self, context: Any, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._room.acquire()  # while there is no room, gRPC's flow control holds the client back
            if self._turn is not None:
                await self._turn()
            encoded = await context.read()
            if encoded is grpc.aio.EOF:
                return
            try:
                request = messages.parse(wire.GetOfferRequest, encoded)
            except WrongRequest as error:  # no id of a request can be read, so no response could name it
                self.fault = error
                return
            self._open_tasks += 1
            tasks.create_task(self._serve(request, context.time_remaining()))

    async def _serve(self, request: wire.GetOfferRequest, remaining_s: float | None) -> None:
        self._ready.put_nowait(await self._answer(request, remaining_s))
        self._end_task()

    def _end_task(self) -> None:
        self._open_tasks -= 1
        if not self._open_tasks:
            self._ready.put_nowait(None)
