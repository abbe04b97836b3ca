"""How a stream ended: with which status, and why."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

import grpc

# gRPC's core refuses calls of an overloaded server with CANCELLED.
OVERLOAD = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
OF_A_WRITE = (grpc.StatusCode.INTERNAL, "Internal error from Core")
T = TypeVar("T")


class End(NamedTuple):
    """How a stream ended. `has_answered`: it gave an answer before."""

    status: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""
    has_answered: bool = False

    @property
    def is_overload(self) -> bool:
        """Whether the supervisor refused the stream because it has too much to do."""
        return self.status in OVERLOAD and not self.has_answered

    @property
    def failure(self) -> str:
        """The status and its text; "" for a stream that ended with OK."""
        return "" if self.status is grpc.StatusCode.OK else f"{self.status.name}: {self.text}"


class FirstStatus:
    """The status with which the supervisor ended `stream`.

    A write that fails because the stream has ended replaces the status of the stream (grpc/grpc issue 36066): the
    refusal of a caller would look like an internal error. So the status is kept when it comes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._kept: tuple[grpc.StatusCode, str] | None = None
        stream.add_done_callback(self._keep)

    async def end(self, *, has_answered: bool = False) -> End:
        """Returns how the stream ended; waits until it has."""
        latest = await self._stream.code(), await self._stream.details() or ""
        status, text = self._kept or latest
        return End(status, text, has_answered)

    def _keep(self, stream: Any) -> None:
        status = _result(stream.code()), _result(stream.details()) or ""
        if self._kept is None and status != OF_A_WRITE:
            self._kept = status


def _result(ready: Coroutine[Any, Any, T]) -> T:
    """Returns the result of a coroutine that does not wait: the stream has ended."""
    try:
        ready.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    ready.close()
    raise RuntimeError("the stream has no status")
