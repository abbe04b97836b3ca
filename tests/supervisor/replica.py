"""A fake model worker: a real OIP server on port 0 whose replies the test chooses."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from mesh import serving
from mesh.factored_rows import PROPERTY, SHARED
from mesh.model_file import ModelHeader, to_properties
from mesh.tls.live import LiveTls
from mesh.wire import inference_pb2 as oip
from model_worker.factored_request import FactoredRequest, decode_factored, is_factored
from model_worker.forest import Candidates
from model_worker.forest.expanded_table import ExpandedTable

Reply = oip.ModelStreamInferResponse | bytes | None  # bytes are sent unchanged; None ends the stream
Respond = Callable[[oip.ModelInferRequest], Iterable[Reply]]
SERVICE = "inference.GRPCInferenceService"


def scores_reply(request: oip.ModelInferRequest, scores: Iterable[float]) -> oip.ModelStreamInferResponse:
    """A reply to `request` with `scores`."""
    values = list(scores)
    raw = struct.pack(f"<{len(values)}d", *values)
    return oip.ModelStreamInferResponse(infer_response=oip.ModelInferResponse(id=request.id, raw_output_contents=[raw]))


def error_reply(request: oip.ModelInferRequest, text: str, code: str = "") -> oip.ModelStreamInferResponse:
    """A reply to `request` with an error."""
    answer = oip.ModelInferResponse(id=request.id)
    if code:
        answer.parameters["code"].string_param = code
    return oip.ModelStreamInferResponse(error_message=text, infer_response=answer)


def rows_of(request: oip.ModelInferRequest) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The rows in `request` [rows, features]."""
    return np.frombuffer(request.raw_input_contents[0], "<f8").reshape(tuple(request.inputs[0].shape))


def sums(bias: float = 0.0) -> Respond:
    """Scores each row with the sum of its known values, plus `bias`."""
    return lambda request: [scores_reply(request, np.nansum(rows_of(request), axis=1) + bias)]


def silent(request: oip.ModelInferRequest) -> Iterable[Reply]:
    """Never answers."""
    del request
    return ()


class Replica:
    """Keeps the requests that it received. A test may change `respond` or call `send` at any time."""

    def __init__(self, header: ModelHeader, respond: Respond, extra: Mapping[str, str]) -> None:
        self.metadata: oip.ModelMetadataResponse | bytes = oip.ModelMetadataResponse(
            name="m", properties={**to_properties(header), **extra}
        )
        self.respond = respond
        self.received: asyncio.Queue[oip.ModelInferRequest] = asyncio.Queue()
        self.held: list[tuple[oip.ModelInferRequest, asyncio.Queue[Reply]]] = []  # not answered, with their streams
        self.streams = 0
        self.address = ""
        self._outgoing: asyncio.Queue[Reply] = asyncio.Queue()
        self._server = grpc.aio.server(options=serving.server_options(serving.MESSAGE_LIMIT_BYTES))
        self._server.add_generic_rpc_handlers((self._handlers(),))

    async def start(self, port: int, tls: LiveTls | None = None) -> None:
        """Listens on `port` (0: any) of 127.0.0.1."""
        credentials = None if tls is None else tls.server_credentials()
        self.address = f"127.0.0.1:{serving.bind(self._server, '127.0.0.1', port, credentials)}"
        await self._server.start()

    async def stop(self) -> None:
        """Stops at once, as after a kill; does nothing if it is stopped already."""
        await self._server.stop(0)

    def send(self, reply: Reply) -> None:
        """Sends `reply` on the open stream."""
        self._outgoing.put_nowait(reply)

    def release(self, respond: Respond) -> None:
        """Answers the held requests with `respond`, and later requests too."""
        self.respond = respond
        for request, outgoing in self.held:
            for reply in respond(request):
                outgoing.put_nowait(reply)
        self.held.clear()

    def _handlers(self) -> grpc.GenericRpcHandler:
        """The RPCs, with raw bytes as replies: a test may send malformed ones."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "ModelMetadata": grpc.unary_unary_rpc_method_handler(self._metadata, response_serializer=_encode),
                "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(
                    self._stream, request_deserializer=oip.ModelInferRequest.FromString, response_serializer=_encode
                ),
            },
        )

    async def _metadata(self, request: bytes, context: Any) -> Any:
        del request, context
        return self.metadata

    async def _stream(self, requests: AsyncIterator[oip.ModelInferRequest], context: Any) -> AsyncIterator[Any]:
        del context
        self.streams += 1
        outgoing = self._outgoing = asyncio.Queue()
        receiving = asyncio.create_task(self._receive(requests, outgoing))
        try:
            while (reply := await outgoing.get()) is not None:
                yield reply
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    async def _receive(self, requests: AsyncIterator[oip.ModelInferRequest], outgoing: asyncio.Queue[Reply]) -> None:
        async for request in requests:
            self.received.put_nowait(request)
            replies = list(self.respond(request))
            if not replies:
                self.held.append((request, outgoing))
            for reply in replies:
                outgoing.put_nowait(reply)
        outgoing.put_nowait(None)


@asynccontextmanager
async def replica(
    header: ModelHeader, respond: Respond | None = None, *, port: int = 0, tls: LiveTls | None = None, **extra: Any
) -> AsyncIterator[Replica]:
    """A replica on 127.0.0.1 that serves the model of `header`, with `extra` properties in its metadata."""
    fake = Replica(header, respond or sums(), extra)
    await fake.start(port, tls)
    try:
        yield fake
    finally:
        await fake.stop()


async def until(fact: Callable[[], bool], within_s: float = 20.0) -> None:
    """Waits until `fact` is true; raises TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        while not fact():  # noqa: ASYNC110 (the code under test has no event for its facts)
            await asyncio.sleep(0.005)


def _encode(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


class FactoredSums:
    """Scores each pair or plain row with the sum of its known values, plus `bias`.

    Remembers the candidates of one stream, as a worker does: use one for each stream.
    """

    def __init__(self, bias: float = 0.0) -> None:
        self.known: tuple[str, Candidates] | None = None
        self._bias = bias

    def __call__(self, request: oip.ModelInferRequest) -> Iterable[Reply]:
        if not is_factored(request):
            return sums(self._bias)(request)
        (features,) = [tensor.shape[1] for tensor in request.inputs if tensor.name == SHARED]
        factored = decode_factored(request, features)
        if factored.included is not None:
            self.known = (factored.name, factored.included)
        if self.known is None or self.known[0] != factored.name:
            return [error_reply(request, "candidates are missing", "FAILED_PRECONDITION")]
        return [scores_reply(request, np.nansum(pairs_of(factored, self.known[1]), axis=1) + self._bias)]


def pairs_of(factored: FactoredRequest, candidates: Candidates) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The plain rows [pairs, features] that a worker's code makes of `factored`."""
    features = len(factored.shared) // factored.requests // 8
    table = ExpandedTable(_Echo(features), candidates)
    return np.frombuffer(table.predict(factored.shared, factored.requests, factored.picks)).reshape(-1, features)


def factored_replica(
    header: ModelHeader, respond: Respond, pairs: str = "4096"
) -> AbstractAsyncContextManager[Replica]:
    """A replica that accepts factored rows of at most `pairs` pairs in a message."""
    extra: dict[str, Any] = {PROPERTY: pairs}
    return replica(header, respond, **extra)


@dataclass(frozen=True)
class _Echo:
    features: int

    def predict(self, rows: bytes, count: int) -> bytes:
        del count
        return rows
