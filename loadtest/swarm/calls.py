"""The calls of a simulated player, with grpc's synchronous client; a process has one channel per address."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import grpc

from loadtest.game_inputs import GameInputs, message_of
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


def ask(address: str, inputs: GameInputs, method: Method, player: int, deadline_s: float) -> Any:
    """Sends the request of one player and returns the answer; raises grpc.RpcError."""
    request = message_of(inputs, method, inputs.player_ids[player])
    return getattr(stub(address), method)(request, timeout=deadline_s)


def target_fault(address: str, games: Iterable[GameInputs]) -> str:
    """The reason, in one line, why a load on `address` cannot run; empty if it can."""
    try:
        grpc.channel_ready_future(channel(address)).result(CONNECT_BUDGET_S)
    except grpc.FutureTimeoutError:
        reason = f"cannot connect to {address} within {CONNECT_BUDGET_S:g} s"
        return f"{reason}; start a mesh (`make up`) or set --host"
    for inputs in games:
        method: Method = "GetOffer" if inputs.has_offers and inputs.candidates else "Score"
        try:
            ask(address, inputs, method, 0, FIRST_ANSWER_BUDGET_S)
        except grpc.RpcError as error:
            code = error.code().name
            if code in ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"):
                options = "--games, --catalog, --context and --offer-ids"
                return f"the mesh refuses {inputs.game!r}: {code}: {error.details()}; check {options}"
    return ""
