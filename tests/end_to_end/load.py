"""Callers that ask a mesh all the time, and what they heard."""

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
    """What callers heard, in order of arrival: (monotonic time, answer)."""

    answers: list[tuple[float, Any]] = field(default_factory=list)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hears(self, what: Callable[[Any], bool]) -> float:
        """When the first answer from now on that is `what` came."""
        seen = len(self.answers)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for when, answer in self.answers[seen:]:
                    seen += 1
                    if what(answer):
                        return when
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def load_on(address: str, deadline_s: float) -> AsyncIterator[Load]:
    """Callers that ask one after the other, each with its own `deadline_s`, for as long as the block lasts."""
    load = Load()
    async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as group:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        over = asyncio.Event()
        for caller in range(CALLERS):
            group.create_task(_call(stub, caller, deadline_s, load, over))
        try:
            yield load
        finally:
            over.set()


async def _call(stub: Any, caller: int, deadline_s: float, load: Load, over: asyncio.Event) -> None:
    request = wire.GetOfferRequest(game="testgame", player_id=f"player-{caller}")
    while not over.is_set():
        try:
            answer = await stub.GetOffer(request, timeout=deadline_s)
            load.answers.append((time.monotonic(), answer))
        except grpc.aio.AioRpcError as error:
            load.failures.append(error)
        load.news.set()
        await asyncio.sleep(0.01)  # a caller's pause between two log-ins: load, not a wait for something


def is_whole(answer: Any) -> bool:
    return bool(answer.source == wire.ENSEMBLE)
