"""Who asks: one caller sends one request at a time and says where the answer came from."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

import grpc

from loadtest.generators.http_caller import HttpCaller, score_posts
from loadtest.workloads import player_ids
from mesh import serving
from mesh.wire import offers_pb2

Kind = Literal["score", "http"]
CALL_BUDGET_S = 10.0
FULL_ANSWER = "ENSEMBLE"


class Caller(Protocol):
    """Asks for players' scores."""

    async def ask(self, player: int) -> str:
        """Asks for the player of that number: ENSEMBLE for a full answer, else a word on what came instead."""
        ...


class ScoreCaller:
    """Asks a mesh by unary `Score`; any number of requests share a channel."""

    def __init__(self, channel: grpc.aio.Channel, requests: Sequence[bytes]) -> None:
        self._requests = requests
        # Requests are serialised beforehand: what the generator saves, the measured processes have.
        self._score: grpc.aio.UnaryUnaryMultiCallable[bytes, offers_pb2.ScoreResponse] = channel.unary_unary(
            "/mesh.v1.Offers/Score", response_deserializer=offers_pb2.ScoreResponse.FromString
        )

    async def ask(self, player: int) -> str:
        """The answer's source, or the name of the gRPC error."""
        try:
            answer = await self._score(self._requests[player], timeout=CALL_BUDGET_S)
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return offers_pb2.Source.Name(answer.source)


@contextlib.asynccontextmanager
async def score_callers(address: str, game: str, players: int, count: int) -> AsyncIterator[Sequence[ScoreCaller]]:
    """`count` callers of the mesh at `address` for as long as the block lasts."""
    requests = [
        offers_pb2.ScoreRequest(game=game, player_id=player).SerializeToString() for player in player_ids(players)
    ]
    async with grpc.aio.insecure_channel(address, options=serving.lane_options()) as channel:
        yield [ScoreCaller(channel, requests)] * count


@contextlib.asynccontextmanager
async def http_callers(address: str, players: int, count: int) -> AsyncIterator[Sequence[HttpCaller]]:
    """`count` callers of the HTTP service at `address` for as long as the block lasts."""
    requests = score_posts(address, player_ids(players))
    callers = [HttpCaller(address, requests) for _ in range(count)]
    try:
        yield callers
    finally:
        for caller in callers:
            caller.close()
