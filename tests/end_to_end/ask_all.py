"""Sends many requests to a mesh, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

CALLERS, DEADLINE_S = 32, 20.0


async def ask_all(address: str, requests: Sequence[wire.GetOfferRequest]) -> list[wire.GetOfferResponse]:
    """Returns the responses in the order of the requests."""
    turns = asyncio.Semaphore(CALLERS)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]

        async def ask(request: wire.GetOfferRequest) -> wire.GetOfferResponse:
            async with turns:
                response: wire.GetOfferResponse = await stub.GetOffer(request, timeout=DEADLINE_S)
                return response

        return await asyncio.gather(*map(ask, requests))
