"""Asks the mesh on a schedule, whatever becomes of the answers, and keeps what came."""

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
class Heard:
    """What a caller got; `score` and `age_ms` are None where there are none, `error` is empty where there is none."""

    player: str
    sent_s: float  # on the loop's clock
    took_s: float
    source: str
    reason: str  # the stable word
    score: float | None
    age_ms: int | None
    error: str


class Asker:
    """One channel to the mesh; the same players in the same order each time."""

    def __init__(self, channel: grpc.aio.Channel, game: str, players: Sequence[str]) -> None:
        self._call: grpc.aio.UnaryUnaryMultiCallable[bytes, offers_pb2.ScoreResponse] = channel.unary_unary(
            "/mesh.v1.Offers/Score", response_deserializer=offers_pb2.ScoreResponse.FromString
        )
        self._game = game
        self._players = players

    async def ask_each(self, rate_rps: float) -> None:
        """Asks once for every player, so that the mesh knows them."""
        for player in self._players:
            await asyncio.gather(self.ask(player), asyncio.sleep(1 / rate_rps))

    async def ask_all(self, rate_rps: float, burst: int, seconds: float) -> list[Heard]:
        """Asks at `rate_rps` in bursts for `seconds`, of players by chance; returns when every answer is in."""
        loop, rng = asyncio.get_running_loop(), random.Random(SEED)
        start_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            asked = []
            for number in range(round(rate_rps * seconds / burst)):
                await asyncio.sleep(max(0.0, start_s + number * burst / rate_rps - loop.time()))
                asked += [tasks.create_task(self.ask(rng.choice(self._players))) for _ in range(burst)]
        return [task.result() for task in asked]

    async def ask(self, player: str) -> Heard:
        """One answer, or the error that came instead."""
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        request = offers_pb2.ScoreRequest(game=self._game, player_id=player).SerializeToString()
        try:
            answer = await self._call(request, timeout=DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return Heard(player, sent_s, loop.time() - sent_s, "", "", None, None, error.code().name)
        return Heard(
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
    """A channel for an `Asker`; to be closed by the caller."""
    return grpc.aio.insecure_channel(address, options=serving.lane_options())
