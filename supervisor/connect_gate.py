"""The gate: bounds the connection attempts of all lanes of the process that are under way at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator
from itertools import count

# Without a bound, the attempts of thousands of lanes need more CPU than there is: gRPC falls behind, its memory grows,
# and each attempt takes longer than its time limit.
TURNS = 64
# The kernel accepts connections for a frozen process, which answers them when it runs again. So a long attempt notices
# this at once, but only a short one leaves its turn soon to the lanes that wait. Keepalive would end a longer attempt.
SHORT_S, LONG_S = 1.5, 3.0


class ConnectGate:
    """At most `turns` attempts at the same time.

    A free turn goes to the attempt with the fewest failures before it; among equals, to the one that waits longest.
    Thus a new replica does not wait for replicas that are down, and no replica that is down waits forever: each attempt
    before its own adds a failure.
    """

    def __init__(self, turns: int = TURNS) -> None:
        self._turns = self._free = turns
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap

    @contextlib.asynccontextmanager
    async def turn(self, failures: int) -> AsyncIterator[float]:
        """Waits for a turn, holds it during the block, and yields the time limit of the attempt, in seconds.

        The limit is `LONG_S` while at most half of the turns are taken, else `SHORT_S`. A caller that is cancelled
        while it waits leaves the queue.
        """
        await self._enter(failures)
        try:
            yield LONG_S if 2 * self._free >= self._turns else SHORT_S
        finally:
            self._leave()

    async def _enter(self, failures: int) -> None:
        if self._free:  # then nobody waits
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (failures, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came at the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():  # else its caller was cancelled
                turn.set_result(None)
                return
        self._free += 1
