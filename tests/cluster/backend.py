"""A game's backend: asks for offers at a steady rate, of all supervisors in turn, and counts what comes back.

It knows the supervisors by their EndpointSlices, as others do by DNS: gRPC for Python takes no resolver of one's own, so
the addresses are the channel's target, and another set of them is another channel. A request whose connection breaks
(UNAVAILABLE) is sent once more, as gRPC's own retry policy would; how often that was is counted, too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import grpc

from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.cluster.kubectl import Namespace, Values, ready_addresses
from tests.cluster.small_game import GAME, PLAYERS

SUPERVISORS = f"ensemble-mesh/game={GAME},app.kubernetes.io/component=supervisor"
DEADLINE_S = 2.0
FIRST_S = 30.0
MAX_EVENT_BYTES = 2**20


@dataclass(slots=True)
class Tally:
    """What became of the requests so far: answers by source, failures by gRPC code, and what was sent once more."""

    sources: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    again: int = 0
    channels: int = 0
    slowest_s: float = 0.0

    @property
    def answered(self) -> int:
        return self.sources.total()

    def __str__(self) -> str:
        parts = f"sent {self.sent}, answers {dict(self.sources)}, failures {dict(self.failures)}, sent again {self.again}"
        return f"{parts}, channels {self.channels}, slowest {self.slowest_s * 1000:.0f} ms, reasons {dict(self.reasons)}"


class Backend:
    """Sends as long as the block of `calling` lasts."""

    def __init__(self, namespace: Namespace, rate_rps: float) -> None:
        self.tally = Tally()
        self._namespace = namespace
        self._every_s = 1 / rate_rps
        self._known = asyncio.Event()
        self._channel: grpc.aio.Channel | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def answers(self, count: int, within_s: float) -> None:
        """Waits for `count` more answers or failures."""
        enough = self.tally.answered + self.tally.failures.total() + count
        async with asyncio.timeout(within_s):
            while self.tally.answered + self.tally.failures.total() < enough:  # noqa: ASYNC110 (a count has no event)
                await asyncio.sleep(self._every_s)

    async def whole(self, count: int, within_s: float) -> None:
        """Waits until `count` answers, one after the other, are of the whole ensemble."""
        async with asyncio.timeout(within_s):
            while True:
                before = self.tally.answered - self.tally.sources["ENSEMBLE"] + self.tally.failures.total()
                await self.answers(count, within_s)
                if self.tally.answered - self.tally.sources["ENSEMBLE"] + self.tally.failures.total() == before:
                    return

    async def send(self) -> None:
        """Sends when each request is due, whatever became of those before; until it is cancelled."""
        async with asyncio.timeout(FIRST_S):
            await self._known.wait()
        started_s = time.monotonic()
        waiting: set[asyncio.Task[None]] = set()
        try:
            while True:
                task = asyncio.create_task(self._ask(self.tally.sent % PLAYERS))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
                self.tally.sent += 1
                await asyncio.sleep(max(0.0, started_s + self.tally.sent * self._every_s - time.monotonic()))
        finally:
            await asyncio.gather(*waiting)

    async def _ask(self, player: int) -> None:
        sent_s = time.monotonic()
        try:
            answer = await self._answer(player)
        except grpc.aio.AioRpcError as error:
            self.tally.failures[error.code().name] += 1
            return
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - sent_s)
        self.tally.sources[offers_pb2.Source.Name(answer.source)] += 1
        if answer.source != offers_pb2.ENSEMBLE:
            self.tally.reasons[answer.reason.partition(":")[0]] += 1

    async def _answer(self, player: int) -> offers_pb2.GetOfferResponse:
        try:
            return await self._call(player)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.tally.again += 1
            return await self._call(player)

    async def _call(self, player: int) -> offers_pb2.GetOfferResponse:
        assert self._channel is not None
        stub = offers_pb2_grpc.OffersStub(self._channel)  # type: ignore[no-untyped-call]
        request = offers_pb2.GetOfferRequest(
            game=GAME,
            player_id=f"player-{player:05d}",
            context={
                "session_minutes": offers_pb2.ContextValue(number=12.0),
                "platform": offers_pb2.ContextValue(text="ios"),
                "is_weekend": offers_pb2.ContextValue(flag=True),
            },
        )
        answer: offers_pb2.GetOfferResponse = await stub.GetOffer(request, timeout=DEADLINE_S)
        return answer

    async def follow(self) -> None:
        """Another channel whenever there are other supervisors; the one before finishes what it has."""
        slices: dict[str, Values] = {}
        addresses: Sequence[str] = ()
        async with aclosing(watch(self._namespace, SUPERVISORS)) as events:
            async for event in events:
                one = event["object"]
                slices[one["metadata"]["name"]] = one if event["type"] != "DELETED" else {}
                fresh = sorted(ready_addresses(list(slices.values())))
                if fresh and fresh != addresses:
                    addresses = fresh
                    await self._connect(addresses)

    async def _connect(self, addresses: Sequence[str]) -> None:
        options = [("grpc.lb_policy_name", "round_robin"), ("grpc.enable_http_proxy", 0)]
        channel = grpc.aio.insecure_channel(f"ipv4:{','.join(addresses)}", options=options)
        async with asyncio.timeout(FIRST_S):
            await channel.channel_ready()
        before, self._channel = self._channel, channel
        self._known.set()
        self.tally.channels += 1
        if before is not None:
            leaving = asyncio.create_task(before.close(grace=2 * DEADLINE_S))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Ends what is left of the channels."""
        await asyncio.gather(*self._leaving)
        if self._channel is not None:
            await self._channel.close()


@asynccontextmanager
async def calling(namespace: Namespace, rate_rps: float) -> AsyncIterator[Backend]:
    """A backend at work; at the end the last answers are waited for."""
    backend = Backend(namespace, rate_rps)
    following, sending = asyncio.create_task(backend.follow()), asyncio.create_task(backend.send())
    try:
        yield backend
    finally:
        for task in (sending, following):
            task.cancel()
            await asyncio.wait([task])
        await backend.close()
    for task in (sending, following):
        assert task.cancelled(), task.exception()


async def watch(namespace: Namespace, selector: str) -> AsyncGenerator[Values, None]:
    """The events of EndpointSlices by kubectl's own watch, from what there is on."""
    chosen = ["--namespace", namespace.name, "get", "endpointslices", "--selector", selector]
    told = [*chosen, "--watch", "--output-watch-events", "-o", "json"]
    cluster = namespace.cluster
    process = await asyncio.create_subprocess_exec(
        cluster.program, *told, env=cluster.environment, stdout=asyncio.subprocess.PIPE, limit=MAX_EVENT_BYTES
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield json.loads(line)
        raise AssertionError(f"kubectl get --watch ended with {await process.wait()}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
