"""The calls of a simulated player, with grpc's synchronous client; a process has one channel per target."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grpc

from loadtest.game_inputs import GameInputs, message_of
from loadtest.workloads import Method
from mesh import serving
from mesh.errors import Misconfigured
from mesh.tls.channel import ClientSecurity, open_channel
from mesh.tls.connection_fault import connection_fault
from mesh.tls.renewed_channel import stamps_of
from mesh.wire import offers_pb2_grpc

CONNECT_BUDGET_S = 3.0
FIRST_ANSWER_BUDGET_S = 10.0
LOOK_S = 1.0
CLOSE_AFTER_S = 60.0  # longer than the deadline of a call
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


class Link:
    """The channel of this process to `target`; a renewed certificate gets a new one (mesh/tls/renewed_channel.py).

    Raises Misconfigured for files with faults.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._files = target.security.files()
        self._stamps = stamps_of(self._files)
        self._looked_s = time.monotonic()
        self._is_renewing = False
        self._use(self._open())

    def current(self) -> Any:
        """Returns the stub for the next call; looks at the files every `LOOK_S`."""
        now_s = time.monotonic()
        if self._files and now_s - self._looked_s >= LOOK_S and not self._is_renewing:
            self._looked_s, self._is_renewing = now_s, True  # the other players use the channel before in the meantime
            try:
                self._renew()
            finally:
                self._is_renewing = False
        return self._stub

    def _renew(self) -> None:
        stamps = stamps_of(self._files)
        if stamps == self._stamps:
            return
        with contextlib.suppress(Misconfigured):  # for example, only one of two files is written yet
            channel, before = self._open(), self.channel
            try:
                grpc.channel_ready_future(channel).result(CONNECT_BUDGET_S)
            except grpc.FutureTimeoutError:
                channel.close()
                return
            self._stamps = stamps
            self._use(channel)
            closing = threading.Timer(CLOSE_AFTER_S, before.close)
            closing.daemon = True
            closing.start()

    def _open(self) -> grpc.Channel:
        # The token is metadata of each call: gRPC's own way starts a greenlet for each call.
        return open_channel(self._target.address, self._target.security.without_token(), serving.lane_options())

    def _use(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self._stub = offers_pb2_grpc.OffersStub(channel)


@lru_cache
def link(target: Target) -> Link:
    """The link to `target`, made once."""
    return Link(target)


def ask(target: Target, inputs: GameInputs, method: Method, player: int, deadline_s: float) -> Any:
    """Sends the request of one player and returns the answer; raises grpc.RpcError."""
    request = message_of(inputs, method, inputs.player_ids[player])
    return getattr(link(target).current(), method)(request, timeout=deadline_s, metadata=target.security.metadata())


def target_fault(target: Target, games: Iterable[GameInputs]) -> str:
    """The reason, in one line, why a load on `target` cannot run; empty if it can. Raises Misconfigured."""
    try:
        grpc.channel_ready_future(link(target).channel).result(CONNECT_BUDGET_S)
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
