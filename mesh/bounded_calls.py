"""Bounds of calls that wait for their peer: how long a request may take to arrive, and how many streams are open.

A peer that sends half a request, or opens streams and is silent, costs the server memory for as long as it likes.
grpc.aio has no bound for either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from mesh.errors import Expired, Overloaded

REQUEST_S = 5.0
MOST_READ = 1024
MAX_STREAMS = 1024
GIVEN_UP_AT_ONCE = 4  # in a turn of the event loop; each takes about 0.1 ms
NO_MESSAGE = "the call has no message"
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


@dataclass(slots=True, eq=False)
class _Read:
    """One request that is read by `task`, which had `cancelling` requests to be cancelled before."""

    task: asyncio.Task[Any]
    cancelling: int
    until_s: float
    is_given_up: bool = False

    def give_up(self) -> None:
        self.is_given_up = True
        self.task.cancel()


class Reading:
    """The requests that are read at the moment, each within `within_s`.

    While `most` requests are read, each new one replaces the oldest: a polite caller sends its request at once, so the
    oldest ones are those of slow callers. All requests share one timer: one for each would cost 3 us.
    """

    def __init__(self, most: int = MOST_READ, within_s: float = REQUEST_S) -> None:
        self._most = most
        self._late = f"the request did not arrive within {within_s:g} s, or too many requests arrive slowly"
        self._within_s = within_s
        self._reads: dict[_Read, None] = {}  # the oldest first, so that the first is also the first to be late
        self._timer: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """The number of requests that are read at the moment."""
        return len(self._reads)

    async def wait_for(self, request: Awaitable[_Request]) -> _Request:
        """Returns the result of `request`. Raises Expired."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        read = _Read(task, task.cancelling(), loop.time() + self._within_s)
        self._reads[read] = None
        if len(self._reads) > self._most:
            self._give_up_oldest()
        if self._timer is None:
            self._timer = loop.call_at(read.until_s, self._give_up_late, loop)
        try:
            return await request
        except asyncio.CancelledError:
            if read.is_given_up and task.uncancel() <= read.cancelling:  # else somebody else cancels the task, too
                raise Expired(self._late) from None
            raise
        finally:
            self._reads.pop(read, None)

    def _give_up_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = loop.time()
        for _ in range(GIVEN_UP_AT_ONCE):
            if not self._reads or next(iter(self._reads)).until_s > now_s:
                break
            self._give_up_oldest()
        if self._reads:
            self._timer = loop.call_at(next(iter(self._reads)).until_s, self._give_up_late, loop)

    def _give_up_oldest(self) -> None:
        read = next(iter(self._reads))
        del self._reads[read]
        read.give_up()


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
