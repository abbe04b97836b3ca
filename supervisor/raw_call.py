"""A unary call of grpc.aio before its request is read.

grpc.aio offers no way to refuse a call before its request is read and parsed, nor to accept several calls of a method
in one turn of the event loop. Therefore this file, and no other, uses private parts of grpcio. Without them, as
`is_known` reports, the supervisor accepts calls as grpc.aio does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc

from mesh.bounded_calls import NO_MESSAGE
from mesh.errors import WrongRequest
from mesh.grpc_errors import CallerStatus
from supervisor.callers.recognition import Admission

_PARTS = (
    "_RequestCallError",
    "_ServerStoppedError",
    "_ServicerContext",
    "_finish_handler_with_unary_response",
    "_schedule_rpc_coro",
    "ExecuteBatchError",
    "ReceiveCloseOnServerOperation",
    "SendInitialMetadataOperation",
    "SendMessageOperation",
    "SendStatusFromServerOperation",
    "execute_batch",
)
_NO_METADATA: tuple[tuple[str, str], ...] = ()
_NO_FLAGS = 0

Handler = Callable[[None, Any], Awaitable[bytes]]


class CallEnded(Exception):
    """The caller has left, the call's deadline has passed, or the server has stopped."""


def is_known(server: grpc.aio.Server) -> bool:
    """Whether this version of grpcio has the private parts that this file uses."""
    core = getattr(server, "_server", None)
    methods = ("_request_registered_call", "is_running")
    return all(hasattr(cygrpc, part) for part in _PARTS) and all(hasattr(core, method) for method in methods)


def claim(server: grpc.aio.Server, methods: Iterable[str]) -> None:
    """Leaves the calls of `methods` to `accept`, before the start of `server`; with an unknown grpcio, to grpc.aio."""
    core: Any = server._server  # type: ignore[attr-defined]
    if is_known(server) and hasattr(core, "request_claimed_call"):
        core.claimed = frozenset(method.encode() for method in methods)


class RawCall:
    """One accepted call. End it with one of `reply`, `refuse` and `run`; a call that nothing refers to is cancelled.

    `admission` names its caller once it is admitted; None if everybody may call. `traceparent` is its trace context, if
    traces are on.
    """

    __slots__ = ("_context", "_loop", "_method", "_peer", "_state", "admission", "traceparent")

    def __init__(self, state: Any, method: str, loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._method = method
        self._loop = loop
        self._context = cygrpc._ServicerContext(state, None, None, loop)
        self._peer: str | None = None
        self.admission: Admission | None = None
        self.traceparent = ""

    @property
    def method(self) -> str:
        """The full name of the method, like `/mesh.v1.Offers/GetOffer`."""
        return self._method

    def remaining_s(self) -> float | None:
        """Returns the time until the caller's deadline, 0 if it has passed; None without a deadline."""
        remaining_s: float | None = self._context.time_remaining()
        return remaining_s

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Returns the properties of the connection."""
        properties: Mapping[str, Iterable[bytes]] = self._context.auth_context()
        return properties

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Returns the metadata that the caller sent."""
        metadata: Sequence[tuple[str, str | bytes]] = self._context.invocation_metadata()
        return metadata

    def peer(self) -> str:
        """Returns the address of the caller, which is another one for each of its connections."""
        if self._peer is None:
            self._peer = str(self._context.peer())
        return self._peer

    async def request(self) -> bytes:
        """Reads the request. Raises CallEnded, or WrongRequest if the caller sends none."""
        try:
            request = await self._context.read()
        except (cygrpc.ExecuteBatchError, cygrpc._ServerStoppedError) as error:
            raise CallEnded from error
        if request is grpc.aio.EOF:
            raise WrongRequest(NO_MESSAGE)
        return bytes(request)

    async def reply(self, response: bytes) -> None:
        """Ends the call with a response. Raises CallEnded."""
        await self._end(cygrpc.SendMessageOperation(response, _NO_FLAGS), CallerStatus(grpc.StatusCode.OK, ""))

    async def refuse(self, status: CallerStatus) -> None:
        """Ends the call with an error. The request need not have been read. Raises CallEnded."""
        await self._end(None, status)

    async def run(self, handler: Handler) -> None:
        """Ends the call with the result of `handler(None, context)`, which is cancelled if the caller leaves."""
        ending = cygrpc._finish_handler_with_unary_response(self._state, handler, None, self._context, None, self._loop)
        await cygrpc._schedule_rpc_coro(ending, self._state, self._loop, self._method)

    async def _end(self, message: Any, status: CallerStatus) -> None:
        """Sends all parts of the answer in one batch."""
        closed = cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)
        parts = (
            cygrpc.SendInitialMetadataOperation(_NO_METADATA, _NO_FLAGS),
            message,
            cygrpc.SendStatusFromServerOperation(status.trailing, status.code.value[0], status.text, _NO_FLAGS),
            closed,
        )
        try:
            await cygrpc.execute_batch(self._state, tuple(part for part in parts if part is not None), self._loop)
        except cygrpc.ExecuteBatchError as error:
            raise CallEnded from error
        if closed.cancelled():
            raise CallEnded


async def accept(server: grpc.aio.Server, method: str) -> RawCall | None:
    """Returns the next call of a registered method; None once the server stops."""
    core: Any = server._server  # type: ignore[attr-defined]
    request = getattr(core, "request_claimed_call", core._request_registered_call)
    while core.is_running():
        try:
            state = await request(method.encode())
        except cygrpc._RequestCallError:
            continue
        return RawCall(state, method, asyncio.get_running_loop())
    return None
