"""The RPCs that a lane makes to a replica, by the Open Inference Protocol."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from mesh.wire import inference_pb2 as oip

_SERVICE = "/inference.GRPCInferenceService/"


async def ask_model(channel: grpc.aio.Channel, model: str, within_s: float) -> dict[str, str]:
    """Returns the properties of the replica's model; raises AioRpcError, at the latest after `within_s`."""
    ask = channel.unary_unary(
        _SERVICE + "ModelMetadata",
        request_serializer=oip.ModelMetadataRequest.SerializeToString,
        response_deserializer=oip.ModelMetadataResponse.FromString,
    )
    metadata = await ask(oip.ModelMetadataRequest(name=model), timeout=within_s)
    return dict(metadata.properties)


def open_stream(channel: grpc.aio.Channel) -> Any:
    """Opens the stream of encoded ModelInferRequests and decoded ModelStreamInferResponses."""
    return channel.stream_stream(
        _SERVICE + "ModelStreamInfer", response_deserializer=oip.ModelStreamInferResponse.FromString
    )()


def raise_if_cancelled() -> None:
    """Raises a cancellation again that grpc.aio has replaced by the status of a call which failed at the same time."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
