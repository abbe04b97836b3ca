"""A game backend that asks all supervisors in turn for offers, at a steady rate, and counts the results.

It finds the supervisors as docs/operating.md describes: by gRPC's own resolver and `round_robin`. The name server is
part of the tests. A request whose connection breaks (UNAVAILABLE) is repeated once, and the repetitions are counted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import grpc

from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.cluster import dns
from tests.cluster.kubectl import Namespace, Values, ready_addresses
from tests.cluster.small_game import GAME, PLAYERS

SUPERVISORS = f"ensemble-mesh/game={GAME},app.kubernetes.io/component=supervisor"
SERVICE, PORT = f"{GAME}-supervisor", 9000
DEADLINE_S = 2.0
FIRST_S = 30.0
MAX_EVENT_BYTES = 2**20
CONTEXT = {
    "session_minutes": offers_pb2.ContextValue(number=12.0),
    "platform": offers_pb2.ContextValue(text="ios"),
    "is_weekend": offers_pb2.ContextValue(flag=True),
}


@dataclass(slots=True)
class Tally:
    """The results so far: answers by source, failures by gRPC code, repeated requests."""

    sent: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    slowest_s: float = 0.0

    @property
    def completed(self) -> int:
        """Number of answered and failed requests."""
        return self.sources.total() + self.failures.total()

    @property
    def degraded(self) -> int:
        """Number of completed requests without the whole ensemble's answer."""
        return self.completed - self.sources["ENSEMBLE"]

    def __str__(self) -> str:
        parts = (
            f"sent {self.sent}, answers {dict(self.sources)}, failures {dict(self.failures)}, repeated {self.repeated}"
        )
        return f"{parts}, slowest {self.slowest_s * 1000:.0f} ms, reasons {dict(self.reasons)}"


class Backend:
    """One channel to all supervisors, and the results of its requests."""

    def __init__(self, channel: grpc.aio.Channel, rate_rps: float) -> None:
        self.tally = Tally()
        self._channel = channel
        self._stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._every_s = 1 / rate_rps

    async def answers(self, count: int, within_s: float) -> None:
        """Waits for `count` more answers or failures."""
        enough = self.tally.completed + count
        async with asyncio.timeout(within_s):
            while self.tally.completed < enough:  # noqa: ASYNC110 (a count has no event)
                await asyncio.sleep(self._every_s)

    async def whole(self, count: int, within_s: float) -> None:
        """Waits until `count` consecutive answers are the whole ensemble's."""
        async with asyncio.timeout(within_s):
            while True:
                before = self.tally.degraded
                await self.answers(count, within_s)
                if self.tally.degraded == before:
                    return

    async def send(self) -> None:
        """Sends each request when it is due, whatever the results of earlier ones, until it is cancelled."""
        async with asyncio.timeout(FIRST_S):
            await self._channel.channel_ready()
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
            self.tally.reasons[str(error.details())] += 1
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
            self.tally.repeated += 1
            self.tally.reasons[str(error.details())] += 1
            return await self._call(player)

    async def _call(self, player: int) -> offers_pb2.GetOfferResponse:
        request = offers_pb2.GetOfferRequest(game=GAME, player_id=f"player-{player:05d}", context=CONTEXT)
        answer: offers_pb2.GetOfferResponse = await self._stub.GetOffer(request, timeout=DEADLINE_S)
        return answer


@asynccontextmanager
async def calling(
    namespace: Namespace, rate_rps: float, security: ClientSecurity = PLAINTEXT
) -> AsyncIterator[Backend]:
    """A backend that sends requests during the block; the end of the block waits for the last answers."""
    async with (
        named(namespace) as name_server,
        open_aio_channel(
            f"dns://{name_server}/{SERVICE}.{namespace.name}.svc:{PORT}",
            security,
            [("grpc.lb_policy_name", "round_robin"), ("grpc.enable_http_proxy", 0)],
        ) as channel,
    ):
        backend = Backend(channel, rate_rps)
        async with running(asyncio.create_task(backend.send())):
            yield backend


@asynccontextmanager
async def named(namespace: Namespace) -> AsyncIterator[str]:
    """The address of a name server that resolves the supervisors by their EndpointSlices, as CoreDNS does."""
    slices: dict[str, Values] = {}
    known = asyncio.Event()

    async def follow() -> None:
        async with aclosing(watch(namespace, SUPERVISORS)) as events:
            async for event in events:
                one = event["object"]
                slices[one["metadata"]["name"]] = one if event["type"] != "DELETED" else {}
                known.set()

    def hosts() -> list[str]:
        return sorted(address.rpartition(":")[0] for address in ready_addresses(list(slices.values())))

    async with running(asyncio.create_task(follow())), dns.serving(hosts) as address:
        async with asyncio.timeout(FIRST_S):
            await known.wait()
        yield address


@asynccontextmanager
async def running(task: asyncio.Task[None]) -> AsyncIterator[None]:
    """Cancels `task` at the end of the block; fails if the task has already ended."""
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()


async def watch(namespace: Namespace, selector: str) -> AsyncGenerator[Values, None]:
    """The events of EndpointSlices from kubectl's watch, beginning with the existing objects."""
    chosen = ["--namespace", namespace.name, "get", "endpointslices", "--selector", selector]
    arguments = [*chosen, "--watch", "--output-watch-events", "-o", "json"]
    cluster = namespace.cluster
    process = await asyncio.create_subprocess_exec(
        cluster.program, *arguments, env=cluster.environment, stdout=asyncio.subprocess.PIPE, limit=MAX_EVENT_BYTES
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
