"""Callers that send requests all the time, and the answers that they received."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

CALLERS = 8
PATIENCE_S = 30


@dataclass(slots=True)
class Load:
    """The answers in order of arrival, each with its monotonic time, and the failed calls."""

    answers: list[tuple[float, Any]] = field(default_factory=list)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, matches: Callable[[Any], bool]) -> float:
        """Waits for the next answer that `matches`; returns its arrival time."""
        seen = len(self.answers)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for when, answer in self.answers[seen:]:
                    seen += 1
                    if matches(answer):
                        return when
                self.arrived.clear()
                await self.arrived.wait()


@contextlib.asynccontextmanager
async def load_on(address: str, deadline_s: float, limit: int = 1) -> AsyncIterator[Load]:
    """Runs `CALLERS` callers during the block; each sends one request after the other, with `deadline_s`.

    An answer has up to `limit` offers, and the player's id as the id of the request.
    """
    load = Load()
    async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as group:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        stop = asyncio.Event()
        for caller in range(CALLERS):
            group.create_task(_call(stub, caller, deadline_s, limit, load, stop))
        try:
            yield load
        finally:
            stop.set()


async def _call(stub: Any, caller: int, deadline_s: float, limit: int, load: Load, stop: asyncio.Event) -> None:
    player = f"player-{caller}"
    request = wire.GetOfferRequest(game="testgame", player_id=player, limit=limit, request_id=player)
    while not stop.is_set():
        try:
            answer = await stub.GetOffer(request, timeout=deadline_s)
            load.answers.append((time.monotonic(), answer))
        except grpc.aio.AioRpcError as error:
            load.failures.append(error)
        load.arrived.set()
        await asyncio.sleep(0.01)  # the caller's pause between two requests; it sets the load and waits for no event


def is_whole(answer: Any) -> bool:
    return bool(answer.source == wire.ENSEMBLE)
