"""`python -m loadtest.micro.callers.client ADDRESS RPC CA [CERT KEY]`: asks without pause, until it is terminated."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

SERVER, TOKEN = "supervisor.cost.mesh", "a-token-of-43-characters-which-nobody-guess"
UNDER_WAY = 8
_WITHIN_S = 10.0
_METADATA = (("authorization", f"Bearer {TOKEN}"),)


def main(arguments: Sequence[str]) -> None:
    """Sends requests until the process is terminated; without CERT and KEY, shows the token."""
    address, rpc, ca, *own = arguments
    cert, key = (Path(path).read_bytes() for path in own) if own else (None, None)
    credentials = grpc.ssl_channel_credentials(Path(ca).read_bytes(), key, cert)
    asyncio.run(_ask(address, rpc, credentials, () if own else _METADATA))


async def _ask(address: str, rpc: str, credentials: grpc.ChannelCredentials, metadata: Any) -> None:
    options = [("grpc.ssl_target_name_override", SERVER)]
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        await (_unary if rpc == "GetOffer" else _stream)(stub, metadata)


async def _unary(stub: Any, metadata: Any) -> None:
    async def ask() -> None:
        while True:
            await stub.GetOffer(_request("r"), timeout=_WITHIN_S, metadata=metadata)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(UNDER_WAY):
            tasks.create_task(ask())


async def _stream(stub: Any, metadata: Any) -> None:
    room = asyncio.Semaphore(UNDER_WAY)

    async def requests() -> AsyncIterator[wire.GetOfferRequest]:
        while True:
            await room.acquire()
            yield _request("r")

    async for answer in stub.StreamOffers(requests(), metadata=metadata):
        assert not answer.HasField("error"), answer
        room.release()


def _request(request_id: str) -> wire.GetOfferRequest:
    return wire.GetOfferRequest(game="cost", player_id="p1", request_id=request_id)


if __name__ == "__main__":
    main(sys.argv[1:])
