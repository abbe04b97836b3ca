"""Callers: a caller sends a request and returns the source of the answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import grpc

from loadtest.generators.http_caller import HttpCaller, posts
from loadtest.workloads import Method, player_ids
from mesh import serving
from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.wire import offers_pb2

Wire = Literal["grpc", "http"]
CALL_BUDGET_S = 30.0
FULL_ANSWER = "ENSEMBLE"
PATHS: dict[Method, str] = {"Score": "/score", "GetOffer": "/offer"}
REQUESTS: dict[Method, Any] = {"Score": offers_pb2.ScoreRequest, "GetOffer": offers_pb2.GetOfferRequest}
ANSWERS: dict[Method, Any] = {"Score": offers_pb2.ScoreResponse, "GetOffer": offers_pb2.GetOfferResponse}


@dataclass(frozen=True, slots=True)
class Target:
    """The address and the requests: `method` for the first `players` players of `game`."""

    wire: Wire
    address: str
    method: Method
    game: str
    players: int


class Caller(Protocol):
    """Sends requests; several calls of `ask` may run at the same time."""

    async def ask(self, player: int) -> str:
        """Sends the request of a player; returns ENSEMBLE for a full answer, else another source or an error name."""
        ...


@contextlib.asynccontextmanager
async def calling(target: Target, security: ClientSecurity = PLAINTEXT) -> AsyncIterator[Caller]:
    """A caller of `target` until the block ends; `security` is for the wire grpc."""
    players = player_ids(target.players)
    if target.wire == "http":
        caller = HttpCaller(target.address, posts(target.address, PATHS[target.method], players))
        with contextlib.closing(caller):
            yield caller
    else:
        request = REQUESTS[target.method]
        requests = [request(game=target.game, player_id=player).SerializeToString() for player in players]
        async with open_aio_channel(target.address, security.without_token(), serving.lane_options()) as channel:
            yield GrpcCaller(channel, target.method, requests, security)


class GrpcCaller:
    """Sends one of `requests` in a unary call; all calls share one channel."""

    def __init__(
        self, channel: grpc.aio.Channel, method: Method, requests: Sequence[bytes], security: ClientSecurity
    ) -> None:
        self._requests = requests
        self._security = security
        # Requests are serialised in advance: the CPU that the generator saves is left for the measured processes.
        self._call: grpc.aio.UnaryUnaryMultiCallable[bytes, Any] = channel.unary_unary(
            f"/mesh.v1.Offers/{method}", response_deserializer=ANSWERS[method].FromString
        )

    async def ask(self, player: int) -> str:
        """The source of the answer, or the name of the gRPC code."""
        try:
            answer = await self._call(self._requests[player], timeout=CALL_BUDGET_S, metadata=self._security.metadata())
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return offers_pb2.Source.Name(answer.source)
