"""A link: one connection to a supervisor with one stream of questions, opened again after each end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import Any, Protocol

import grpc

from ensemble_mesh_client.security import Security, open_channel
from ensemble_mesh_client.stream_end import End, FirstStatus
from ensemble_mesh_client.wire import offers_pb2 as wire

METHOD = "/mesh.v1.Offers/StreamOffers"
MOST_UNANSWERED = 256  # of one stream; a supervisor reads no more
CONNECT_S = 2.0
AT_ONCE_S, FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.1, 1.0
STEADY_S = 5.0  # a stream that lasted so long was a success: the next pause is the shortest again
_log = logging.getLogger("ensemble_mesh_client")


class LinkOwner(Protocol):
    """Receives the events of its links. `Supervisor` implements it."""

    def on_up(self) -> None:
        """A link is up."""
        ...

    def on_response(self, response: wire.GetOfferResponse) -> None:
        """The supervisor answered."""
        ...

    def on_end(self, request_ids: list[str], end: End) -> None:
        """A stream ended, or could not be opened; no answer will come for `request_ids`."""
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
            began_s, end = loop.time(), End()
            try:
                end = await self._session()
            except TimeoutError:
                end = End(grpc.StatusCode.UNAVAILABLE, f"no connection within {CONNECT_S:g} s")
            except OSError as error:  # a file of the security
                end = End(grpc.StatusCode.UNAVAILABLE, str(error))
            except grpc.aio.AioRpcError as error:
                end = End(error.code(), error.details() or "")
            except asyncio.CancelledError:
                raise
            except Exception as error:  # no answer of a supervisor may end the connecting to it
                _log.exception("the link to %s failed", self._address)
                end = End(grpc.StatusCode.UNKNOWN, repr(error))
            finally:
                self._report(end)
            is_fine = not end.failure or loop.time() - began_s > STEADY_S
            failures = 0 if is_fine else failures + 1
            self._log_end(end)
            await asyncio.sleep(_pause_s(failures))

    async def _session(self) -> End:
        """Serves one stream until it ends."""
        async with open_channel(self._address, self._security) as channel:
            stream = channel.stream_stream(
                METHOD,
                request_serializer=wire.GetOfferRequest.SerializeToString,
                response_deserializer=wire.GetOfferResponse.FromString,
            )()
            first = FirstStatus(stream)
            async with asyncio.timeout(CONNECT_S):
                await stream.wait_for_connection()
            writing = asyncio.create_task(self._write(stream))
            self._is_up = True
            self._owner.on_up()
            try:
                return await self._read(stream, first)
            finally:
                self._is_up = False
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, stream: Any, first: FirstStatus) -> End:
        answered = False
        try:
            async for response in stream:
                answered = True
                self._logged = ""
                self._unanswered.pop(response.request_id, None)
                self._owner.on_response(response)
        except grpc.aio.AioRpcError:
            pass  # its status may be that of a write
        return await first.end(has_answered=answered)

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

    def _report(self, end: End) -> None:
        lost = list(self._unanswered)
        self._unanswered.clear()
        self._outbox.clear()
        self._owner.on_end(lost, end)

    def _log_end(self, end: End) -> None:
        """Logs each failure once, until an answer has come."""
        if end.failure and end.failure != self._logged:
            self._logged = end.failure
            _log.warning("no connection to the supervisor at %s: %s", self._address, end.failure)


def _pause_s(failures: int) -> float:
    """Returns the pause after `failures` in a row: at most twice as long after each, with full jitter."""
    if not failures:
        return random.uniform(0, AT_ONCE_S)
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return random.uniform(0.5, 1) * longest_s
