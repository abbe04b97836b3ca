"""Accepts the calls of one method from one server of grpc.aio, more of them in a turn while a flood is in front."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import grpc

from supervisor import raw_call
from supervisor.raw_call import RawCall

# Calls of a method that each server accepts in one turn of the event loop. A stream reads one request in two turns, so
# turns must stay short.
ACCEPTING = 3
# The same while the intake is crowded. gRPC hands out calls in the order of their arrival, so that the calls of the
# others are behind those of the flood.
ACCEPTING_CROWDED = 16


class Acceptor:
    """Calls `take` with each call; `spawn` runs a coroutine, and `is_crowded` returns whether a flood waits."""

    def __init__(
        self,
        server: grpc.aio.Server,
        method: str,
        take: Callable[[RawCall], None],
        is_crowded: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._server = server
        self._method = method
        self._take = take
        self._is_crowded = is_crowded
        self._spawn = spawn
        self._more = 0

    def start(self) -> None:
        """Accepts calls until the server stops."""
        for _ in range(ACCEPTING):
            self._spawn(self._accept())

    async def _accept(self) -> None:
        while (call := await raw_call.accept(self._server, self._method)) is not None:
            self._take(call)
            del call  # a call that nothing refers to is cancelled
            if self._is_crowded():
                self._accept_more()

    def _accept_more(self) -> None:
        while self._more < ACCEPTING_CROWDED - ACCEPTING:
            self._more += 1
            self._spawn(self._accept_while_crowded())

    async def _accept_while_crowded(self) -> None:
        """Ends with the next call after the crowd: a call that was asked for cannot be given back."""
        while (call := await raw_call.accept(self._server, self._method)) is not None:
            self._take(call)
            del call
            if not self._is_crowded():
                break
        self._more -= 1
