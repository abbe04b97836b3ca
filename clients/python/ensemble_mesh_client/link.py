"""A link: one connection to a supervisor with one stream of questions, opened again after each end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import Any, Protocol

import grpc

from ensemble_mesh_client.security import Security, open_channel
from ensemble_mesh_client.wire import offers_pb2 as wire

METHOD = "/mesh.v1.Offers/StreamOffers"
MOST_UNANSWERED = 256  # of one stream; a supervisor reads no more
CONNECT_S = 2.0
AT_ONCE_S, FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.1, 1.0
STEADY_S = 5.0  # a stream that lasted so long was a success: the next pause is the shortest again
# gRPC's core refuses calls of an overloaded server with CANCELLED.
OVERLOAD = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
_log = logging.getLogger("ensemble_mesh_client")


class LinkOwner(Protocol):
    """Receives the events of its links. `Supervisor` implements it."""

    def on_up(self) -> None:
        """A link is up."""
        ...

    def on_response(self, response: wire.GetOfferResponse) -> None:
        """The supervisor answered."""
        ...

    def on_lost(self, request_ids: list[str], is_overload: bool) -> None:
        """A stream ended; no answer will come for `request_ids`."""
        ...


class Link:
    """`run` keeps the stream open; `send` sends while `is_usable`. The owner gets each request back exactly once."""

    def __init__(self, address: str, security: Security | None, owner: LinkOwner) -> None:
        self._address = address
        self._security = security
        self._owner = owner
        self._is_up = False
        self._unanswered: dict[str, None] = {}
        self._outbox: deque[wire.GetOfferRequest] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._logged = ""

    @property
    def is_usable(self) -> bool:
        """Whether the stream is open and has room."""
        return self._is_up and len(self._unanswered) < MOST_UNANSWERED

    def send(self, request: wire.GetOfferRequest) -> None:
        """Sends a request; the link must be usable."""
        self._unanswered[request.request_id] = None
        self._outbox.append(request)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def run(self) -> None:
        """Opens the stream again and again, until cancelled."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began_s, answered, status, text = loop.time(), False, None, ""
            try:
                answered, status, text = await self._session()
            except (grpc.aio.AioRpcError, TimeoutError, OSError) as error:
                status, text = _reason(error)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # no answer of a supervisor may end the connecting to it
                _log.exception("the link to %s failed", self._address)
                text = repr(error)
            finally:
                self._lose(is_overload=status in OVERLOAD and not answered)
            is_fine = status is grpc.StatusCode.OK or loop.time() - began_s > STEADY_S
            failures = 0 if is_fine else failures + 1
            self._log_end(status, text)
            await asyncio.sleep(_pause_s(failures))

    async def _session(self) -> tuple[bool, grpc.StatusCode, str]:
        """Serves one stream until it ends; returns whether it gave an answer, and its status."""
        async with open_channel(self._address, self._security) as channel:
            stream = channel.stream_stream(
                METHOD,
                request_serializer=wire.GetOfferRequest.SerializeToString,
                response_deserializer=wire.GetOfferResponse.FromString,
            )()
            async with asyncio.timeout(CONNECT_S):
                await stream.wait_for_connection()
            writing = asyncio.create_task(self._write(stream))
            self._is_up = True
            self._owner.on_up()
            try:
                return await self._read(stream)
            finally:
                self._is_up = False
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, stream: Any) -> tuple[bool, grpc.StatusCode, str]:
        answered = False
        try:
            async for response in stream:
                answered = True
                self._logged = ""
                self._unanswered.pop(response.request_id, None)
                self._owner.on_response(response)
        except grpc.aio.AioRpcError as error:
            return answered, error.code(), error.details() or ""
        return answered, await stream.code(), await stream.details() or ""

    async def _write(self, stream: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._outbox:
                    await stream.write(self._outbox.popleft())
                self._wake = loop.create_future()
                await self._wake
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended; the reader gets the reason

    def _lose(self, *, is_overload: bool) -> None:
        lost = list(self._unanswered)
        self._unanswered.clear()
        self._outbox.clear()
        if lost:
            self._owner.on_lost(lost, is_overload)

    def _log_end(self, status: grpc.StatusCode | None, text: str) -> None:
        """Logs each reason once, until an answer has come."""
        if status is not grpc.StatusCode.OK and text != self._logged:
            self._logged = text
            _log.warning("no connection to the supervisor at %s: %s", self._address, text)


def _reason(error: Exception) -> tuple[grpc.StatusCode | None, str]:
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code(), error.details() or error.code().name
    if isinstance(error, TimeoutError):
        return None, f"no connection within {CONNECT_S:g} s"
    return None, str(error)


def _pause_s(failures: int) -> float:
    """Returns the pause after `failures` in a row: at most twice as long after each, with full jitter."""
    if not failures:
        return random.uniform(0, AT_ONCE_S)
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return random.uniform(0.5, 1) * longest_s
