"""The calls of a simulated player, with grpc's synchronous client; a process has one channel per address."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import grpc

from loadtest.generators.callers import REQUESTS
from loadtest.workloads import Method
from mesh import serving
from mesh.wire import offers_pb2_grpc

CONNECT_BUDGET_S = 3.0
FIRST_ANSWER_BUDGET_S = 10.0


@lru_cache
def channel(address: str) -> grpc.Channel:
    """The channel to `address`, made once."""
    return grpc.insecure_channel(address, options=serving.lane_options())


@lru_cache
def stub(address: str) -> Any:
    """The stub of the Offers service at `address`."""
    return offers_pb2_grpc.OffersStub(channel(address))


def ask(address: str, method: Method, game: str, player: int, deadline_s: float) -> Any:
    """Sends one request and returns the answer; raises grpc.RpcError."""
    request = REQUESTS[method](game=game, player_id=f"player-{player:05d}")
    return getattr(stub(address), method)(request, timeout=deadline_s)


def target_fault(address: str, games: list[str]) -> str:
    """The reason, in one line, why a load on `address` cannot run; empty if it can."""
    try:
        grpc.channel_ready_future(channel(address)).result(CONNECT_BUDGET_S)
    except grpc.FutureTimeoutError:
        reason = f"cannot connect to {address} within {CONNECT_BUDGET_S:g} s"
        return f"{reason}; start a mesh (`make up`) or set --host"
    for game in games:
        try:
            ask(address, "Score", game, 0, FIRST_ANSWER_BUDGET_S)
        except grpc.RpcError as error:
            code = error.code().name
            if code in ("NOT_FOUND", "INVALID_ARGUMENT", "UNIMPLEMENTED"):
                return f"the mesh refuses {game!r}: {code}: {error.details()}; check --games"
    return ""
