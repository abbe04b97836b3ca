"""Ended calls of connections that flood, which are released later: until then, gRPC counts their streams as open.

A connection has a limit of streams that are open, or ended and not released (`mesh/serving.py`). gRPC refuses more
streams of the connection at a small part of the cost of a call that is accepted. So a client that opens calls and
cancels them gets only so many calls per `HOLD_S`.
"""

from __future__ import annotations

import asyncio
from collections import deque

from supervisor.raw_call import RawCall

HOLD_S = 1.0
MOST_HELD = 2048  # of all connections, about 10 KB each
RELEASE_EVERY_S, RELEASED_AT_ONCE = 0.01, 32  # many calls that are released at once would block the event loop


class HeldCalls:
    """Holds calls for `HOLD_S`; above `most`, the oldest is released at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int = MOST_HELD) -> None:
        self._loop = loop
        self._most = most
        self._calls: deque[tuple[float, RawCall]] = deque()  # the times at which they are released
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: RawCall) -> None:
        """Holds an ended call."""
        if self._is_closed:
            return
        self._calls.append((self._loop.time() + HOLD_S, call))
        if len(self._calls) > self._most:
            self._calls.popleft()
        if self._timer is None:
            self._timer = self._loop.call_later(HOLD_S, self._release)

    def close(self) -> None:
        """Releases all calls, and holds no more: a server stops only once its calls are released."""
        self._is_closed = True
        self._calls.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _release(self) -> None:
        self._timer, now_s = None, self._loop.time()
        for _ in range(RELEASED_AT_ONCE):
            if not self._calls or self._calls[0][0] > now_s:
                break
            self._calls.popleft()
        if self._calls:
            at_s = max(self._calls[0][0], now_s + RELEASE_EVERY_S)
            self._timer = self._loop.call_at(at_s, self._release)
