"""Peers that a mesh must refuse: each calls a port, and its call must fail at once and with the right status."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import grpc

from loadtest.rotation.files import Certificates
from mesh import serving
from mesh.tls.throwaway import Authority, Times, new_authority
from mesh.wire import inference_pb2 as oip
from mesh.wire import offers_pb2

Port = Literal["supervisor", "worker"]
PLAINTEXT, NO_CERTIFICATE = "plaintext", "no certificate"
AT_HANDSHAKE, AT_CALL = ("UNAVAILABLE",), ("PERMISSION_DENIED", "UNAUTHENTICATED")
BUDGET_S = 5.0  # a call that takes longer is not refused, but lost


@dataclass(frozen=True, slots=True)
class BadPeer:
    """A peer and the status codes with which `port` may refuse it."""

    name: str
    port: Port
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The result of one call of a bad peer; `code` is OK if it was answered."""

    peer: BadPeer
    code: str
    took_s: float
    details: str

    @property
    def is_right(self) -> bool:
        """Whether the call was refused with a code that is expected."""
        return self.code in self.peer.codes


@dataclass(frozen=True, slots=True)
class Place:
    """A port of the mesh, and the DNS name in its certificate."""

    address: str
    server_name: str


# The wrong name is another game's: a supervisor for a worker, a client for a supervisor.
WRONG_NAMES: Mapping[str, Mapping[Port, str]] = {
    "wrong name": {"supervisor": "client.other.mesh", "worker": "supervisor.other.mesh"},
    "worker as supervisor": {"supervisor": "worker.{game}.mesh", "worker": "worker.{game}.mesh"},
}
_OF_HANDSHAKE = (PLAINTEXT, NO_CERTIFICATE, "other CA", "expired", "not yet valid")
BAD_PEERS = [
    *(BadPeer(name, port, AT_HANDSHAKE) for port in ("supervisor", "worker") for name in _OF_HANDSHAKE),
    *(BadPeer(name, port, AT_CALL) for port in ("supervisor", "worker") for name in WRONG_NAMES),
]


class BadPeers:
    """The bad peers of a mesh with the certificates `own`; those at a worker ask for `model`."""

    def __init__(self, own: Certificates, game: str, model: str, places: Mapping[Port, Place]) -> None:
        self._own = own
        self._game = game
        self._model = model
        self._places = places
        self._stranger = new_authority(name="stranger")

    async def try_all(self) -> list[Refusal]:
        """Has each bad peer call once, with a certificate of the CA that the mesh has now."""
        return list(await asyncio.gather(*(self._try(peer) for peer in BAD_PEERS)))

    async def _try(self, peer: BadPeer) -> Refusal:
        place, began_s = self._places[peer.port], time.monotonic()
        options = [*serving.lane_options(BUDGET_S), ("grpc.ssl_target_name_override", place.server_name)]
        credentials = self._credentials(peer)
        channel = (
            grpc.aio.insecure_channel(place.address, options[:-1])
            if credentials is None
            else grpc.aio.secure_channel(place.address, credentials, options)
        )
        code, details = "OK", ""
        async with channel:
            try:
                await self._call(channel, peer.port)
            except grpc.aio.AioRpcError as error:
                code, details = error.code().name, error.details() or ""
        return Refusal(peer, code, time.monotonic() - began_s, details)

    async def _call(self, channel: grpc.aio.Channel, port: Port) -> None:
        if port == "supervisor":
            method, request = "/mesh.v1.Offers/Score", offers_pb2.ScoreRequest(game=self._game, player_id="p0000")
            await _unary(channel, method)(request.SerializeToString(), timeout=BUDGET_S)
        else:
            metadata = oip.ModelMetadataRequest(name=self._model).SerializeToString()
            await _unary(channel, "/inference.GRPCInferenceService/ModelMetadata")(metadata, timeout=BUDGET_S)

    def _credentials(self, peer: BadPeer) -> grpc.ChannelCredentials | None:
        ca = b"".join(one.cert for one in self._own.trusted)
        if peer.name == PLAINTEXT:
            return None
        if peer.name == NO_CERTIFICATE:
            return grpc.ssl_channel_credentials(ca)
        issued = self._issuer(peer).issue([self._name(peer)], _times(peer))
        return grpc.ssl_channel_credentials(ca, issued.key, issued.cert)

    def _issuer(self, peer: BadPeer) -> Authority:
        return self._stranger if peer.name == "other CA" else self._own.authority

    def _name(self, peer: BadPeer) -> str:
        good: Mapping[Port, str] = {"supervisor": "client.mesh", "worker": "supervisor.{game}.mesh"}
        return WRONG_NAMES.get(peer.name, good)[peer.port].format(game=self._game)


def _unary(channel: grpc.aio.Channel, method: str) -> Any:
    return channel.unary_unary(method)


def _times(peer: BadPeer) -> Times | None:
    now, day = datetime.now(UTC), timedelta(days=1)
    lifetimes = {"expired": Times(now - 2 * day, now - day), "not yet valid": Times(now + day, now + 2 * day)}
    return lifetimes.get(peer.name)
