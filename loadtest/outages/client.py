"""A client of the mesh that asks on a schedule, without waiting for answers, and records the responses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from mesh import serving
from mesh.wire import offers_pb2

DEADLINE_S = 0.25
SEED = 3


@dataclass(frozen=True, slots=True)
class Response:
    """An answer or an error; `score` and `age_ms` are None if the answer has none, `error` is empty for an answer."""

    player: str
    sent_s: float  # on the clock of the loop
    took_s: float
    source: str
    reason: str  # the stable word
    score: float | None
    age_ms: int | None
    error: str


class Client:
    """Asks for `players` over one channel, in the same order in each run."""

    def __init__(
        self, channel: grpc.aio.Channel, game: str, players: Sequence[str], deadline_s: float = DEADLINE_S
    ) -> None:
        self._call: grpc.aio.UnaryUnaryMultiCallable[bytes, offers_pb2.ScoreResponse] = channel.unary_unary(
            "/mesh.v1.Offers/Score", response_deserializer=offers_pb2.ScoreResponse.FromString
        )
        self._game = game
        self._players = players
        self._deadline_s = deadline_s

    async def ask_each(self, rate_rps: float) -> None:
        """Asks once for every player, so that the mesh has each of them in its cache."""
        for player in self._players:
            await asyncio.gather(self.ask(player), asyncio.sleep(1 / rate_rps))

    async def ask_at_random(self, rate_rps: float, burst: int, seconds: float) -> list[Response]:
        """Asks for random players at `rate_rps`, in bursts, for `seconds`; returns after the last response."""
        loop, rng = asyncio.get_running_loop(), random.Random(SEED)
        start_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            requests = []
            for number in range(round(rate_rps * seconds / burst)):
                await asyncio.sleep(max(0.0, start_s + number * burst / rate_rps - loop.time()))
                requests += [tasks.create_task(self.ask(rng.choice(self._players))) for _ in range(burst)]
        return [task.result() for task in requests]

    async def ask(self, player: str) -> Response:
        """Sends one request."""
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        request = offers_pb2.ScoreRequest(game=self._game, player_id=player).SerializeToString()
        try:
            answer = await self._call(request, timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            return Response(player, sent_s, loop.time() - sent_s, "", "", None, None, error.code().name)
        return Response(
            player,
            sent_s,
            loop.time() - sent_s,
            offers_pb2.Source.Name(answer.source),
            answer.reason.partition(":")[0],
            answer.score if answer.HasField("score") else None,
            answer.features_age_ms if answer.HasField("features_age_ms") else None,
            "",
        )


def channel_to(address: str) -> grpc.aio.Channel:
    """A channel for a `Client`; the caller closes it."""
    return grpc.aio.insecure_channel(address, options=serving.lane_options())
