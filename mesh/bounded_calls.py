"""Bounds of calls that wait for their peer: how long a request may take to arrive, and how many streams are open.

A peer that sends half a request, or opens streams and is silent, costs the server memory for as long as it likes.
grpc.aio has no bound for either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import grpc

from mesh.errors import Expired, Overloaded

REQUEST_S = 5.0
MOST_READ = 1024
MAX_STREAMS = 1024
NO_MESSAGE = "the call has no message"
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Reading:
    """The requests that are read at the moment, each within `within_s`.

    While `most` requests are read, each new one replaces the oldest: a polite caller sends its request at once, so the
    oldest ones are those of slow callers.
    """

    def __init__(self, most: int = MOST_READ, within_s: float = REQUEST_S) -> None:
        self._most = most
        self._late = f"the request did not arrive within {within_s:g} s, or too many requests arrive slowly"
        self._within_s = within_s
        self._limits: dict[object, asyncio.Timeout] = {}

    @property
    def count(self) -> int:
        """The number of requests that are read at the moment."""
        return len(self._limits)

    async def wait_for(self, request: Awaitable[_Request]) -> _Request:
        """Returns the result of `request`. Raises Expired."""
        key = object()
        try:
            async with asyncio.timeout(self._within_s) as limit:
                self._limits[key] = limit
                if len(self._limits) > self._most:
                    self._give_up_oldest()
                return await request
        except TimeoutError:
            raise Expired(self._late) from None
        finally:
            self._limits.pop(key, None)

    def _give_up_oldest(self) -> None:
        limit = self._limits.pop(next(iter(self._limits)))
        with contextlib.suppress(RuntimeError):  # its time is over at this moment
            limit.reschedule(0.0)


def unary_handler(
    method: Callable[[Any, Any], Awaitable[Any]],
    reading: Reading,
    parse: Callable[[bytes], Any] | None = None,
    serialize: Callable[[Any], bytes] | None = None,
) -> Any:
    """Returns the handler of a unary `method`, which is called with its request and context once the request is read.

    On the wire, a unary call is a stream of one message. grpc.aio would wait without limit for this message, and would
    never answer a call that has none.
    """

    async def call(_requests: object, context: Any) -> Any:
        return await method(await _only_request(context, reading), context)

    return grpc.stream_unary_rpc_method_handler(call, parse, serialize)


async def _only_request(context: Any, reading: Reading) -> Any:
    try:
        request = await reading.wait_for(context.read())
    except Expired as error:
        await context.abort(error.code, error.reason)
    if request is grpc.aio.EOF:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, NO_MESSAGE)
    return request


class OpenStreams:
    """Counts the open streams of a method."""

    def __init__(self, most: int = MAX_STREAMS) -> None:
        self._most = most
        self._open = 0

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Counts a stream during the block. Raises Overloaded if too many are open."""
        if self._open >= self._most:
            raise Overloaded(f"overloaded: {self._most} streams of this method are open; use fewer streams")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
