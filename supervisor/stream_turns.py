"""Turns of streams: how many requests of streams are read in one turn of the event loop, and of which callers."""

from __future__ import annotations

import asyncio
from collections import deque

# Each request takes about 0.1 ms, and unary calls must not wait longer than for their own readers.
READ_IN_A_TURN = 8


class StreamTurns:
    """Gives the callers turns one after the other, however many streams each of them has."""

    def __init__(self) -> None:
        self._given = 0  # in the present turn of the event loop
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of the callers' turns

    async def next(self, caller: str) -> None:
        """Waits until a stream of `caller` may read a request."""
        loop = asyncio.get_running_loop()
        if not self._given:
            loop.call_soon(self._begin_turn, loop)
        if self._given < READ_IN_A_TURN and not self._waiting:
            self._given += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        await turn

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._given = 0
        while self._waiting and self._given < READ_IN_A_TURN:
            caller, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            del self._waiting[caller]
            if turns:
                self._waiting[caller] = turns  # behind the other callers
            if not turn.done():  # else its stream has ended
                turn.set_result(None)
                self._given += 1
        if self._given or self._waiting:
            loop.call_soon(self._begin_turn, loop)
