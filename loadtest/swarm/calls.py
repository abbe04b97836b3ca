"""The calls of a simulated player, with grpc's synchronous client; a process has one channel per address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grpc

from loadtest.game_inputs import GameInputs, message_of
from loadtest.workloads import Method
from mesh import serving
from mesh.tls.channel import ClientSecurity, open_channel
from mesh.tls.connection_fault import connection_fault
from mesh.wire import offers_pb2_grpc

CONNECT_BUDGET_S = 3.0
FIRST_ANSWER_BUDGET_S = 10.0
_OF_REQUEST = "--games, --catalog, --context and --offer-ids"
_OF_CALLER = "--tls-cert, --tls-key and --token-file, and `callers` in the catalog"
_OPTIONS = {  # to check, by the code of a refusal
    **dict.fromkeys(("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNIMPLEMENTED"), _OF_REQUEST),
    **dict.fromkeys(("UNAUTHENTICATED", "PERMISSION_DENIED"), _OF_CALLER),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The supervisor that a load goes to, and how the players connect."""

    address: str
    security: ClientSecurity


@lru_cache
def channel(target: Target) -> grpc.Channel:
    """The channel to `target`, made once; raises Misconfigured for files with faults."""
    # The token is metadata of each call: gRPC's own way starts a greenlet for each call.
    return open_channel(target.address, target.security.without_token(), serving.lane_options())


@lru_cache
def stub(target: Target) -> Any:
    """The stub of the Offers service at `target`."""
    return offers_pb2_grpc.OffersStub(channel(target))


def ask(target: Target, inputs: GameInputs, method: Method, player: int, deadline_s: float) -> Any:
    """Sends the request of one player and returns the answer; raises grpc.RpcError."""
    request = message_of(inputs, method, inputs.player_ids[player])
    return getattr(stub(target), method)(request, timeout=deadline_s, metadata=target.security.metadata())


def target_fault(target: Target, games: Iterable[GameInputs]) -> str:
    """The reason, in one line, why a load on `target` cannot run; empty if it can. Raises Misconfigured."""
    try:
        grpc.channel_ready_future(channel(target)).result(CONNECT_BUDGET_S)
    except grpc.FutureTimeoutError:
        fault = connection_fault(target.address, target.security)
        reason = f"cannot connect to {target.address} within {CONNECT_BUDGET_S:g} s"
        return fault or f"{reason}; start a mesh (`make up`) or set --host"
    for inputs in games:
        method: Method = "GetOffer" if inputs.has_offers and inputs.candidates else "Score"
        try:
            ask(target, inputs, method, 0, FIRST_ANSWER_BUDGET_S)
        except grpc.RpcError as error:
            code = error.code().name
            if code in _OPTIONS:
                return f"the mesh refuses {inputs.game!r}: {code}: {error.details()}; check {_OPTIONS[code]}"
    return ""
