"""The gRPC servicer of the Open Inference Protocol: it serves one model, and all requests share one queue."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import grpc

from mesh.errors import MeshError, Unavailable
from mesh.grpc_errors import for_caller, or_abort
from mesh.malformed import Malformed
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker.batch import Pairs, Waiter, Work
from model_worker.candidates import StreamCandidates, TableCache
from model_worker.factored_request import decode_factored, is_factored
from model_worker.forest import Candidates, CandidateTable
from model_worker.identity import Identity, model_config, model_metadata, server_metadata
from model_worker.oip_options import check_options
from model_worker.queue import DRAINING, CallWaiter
from model_worker.replies import Replies
from model_worker.stream import Outbox, RefusedRequest, ScoredRequest, StreamWaiter
from model_worker.tensors import DecodedRequest, check_outputs, decode, expiry_ns
from model_worker.tracing import MessageTrace, WorkerTracer

log = logging.getLogger(__name__)

SERVICE = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Method = Callable[["InferenceService", _Request, Context], Awaitable[_Response]]


def _translated(method: _Method[_Request, _Response]) -> _Method[_Request, _Response]:
    """Translates errors of the mesh to gRPC statuses. Logs an unexpected error, and hides its text from the caller."""

    @functools.wraps(method)
    async def call(self: InferenceService, request: _Request, context: Context) -> _Response:
        return await or_abort(method(self, request, context), context, log, method.__name__)

    return call


class Admission(Protocol):
    """The queue of requests that wait for their scores."""

    def submit(self, work: Work) -> None:
        """Admits `work`, or raises a `MeshError` immediately."""

    def close(self) -> None:
        """Refuses all later work."""


class InferenceService(inference_pb2_grpc.GRPCInferenceServiceServicer):
    """Serves the model of `identity` by `queue`, in requests of up to `max_rows` rows.

    `make_table` makes the forest's table of a list of candidates. `refused` receives the status code of each request
    that is not admitted. `tracer` begins traces; None: there are none.
    """

    def __init__(
        self,
        identity: Identity,
        queue: Admission,
        make_table: Callable[[Candidates], CandidateTable],
        max_rows: int,
        refused: Callable[[str], None],
        tracer: WorkerTracer | None = None,
    ) -> None:
        self._identity = identity
        self._features = len(identity.header.feature_names)
        self._queue = queue
        self._max_rows = max_rows
        self._refused = refused
        self._tracer = tracer
        self._tables = TableCache(make_table)
        self._replies = Replies(identity.name, identity.header.classes)
        self._draining = False
        self._readers: set[asyncio.Task[Malformed | None]] = set()

    def drain(self) -> None:
        """Refuses new requests. Streams stop reading, write their outstanding responses, and end with status OK."""
        self._draining = True
        self._queue.close()
        for reader in self._readers:
            reader.cancel()

    @_translated
    async def ServerLive(self, _request: oip.ServerLiveRequest, _context: Context) -> oip.ServerLiveResponse:
        """Returns true while the process runs."""
        return oip.ServerLiveResponse(live=True)

    @_translated
    async def ServerReady(self, _request: oip.ServerReadyRequest, _context: Context) -> oip.ServerReadyResponse:
        """Returns whether the worker accepts new work."""
        return oip.ServerReadyResponse(ready=not self._draining)

    @_translated
    async def ModelReady(self, request: oip.ModelReadyRequest, _context: Context) -> oip.ModelReadyResponse:
        """Returns whether the worker accepts new work for the model."""
        self._identity.check(request.name, request.version)
        return oip.ModelReadyResponse(ready=not self._draining)

    @_translated
    async def ServerMetadata(
        self, _request: oip.ServerMetadataRequest, _context: Context
    ) -> oip.ServerMetadataResponse:
        """Returns the name and version of the server."""
        return server_metadata()

    @_translated
    async def ModelMetadata(self, request: oip.ModelMetadataRequest, _context: Context) -> oip.ModelMetadataResponse:
        """Returns the tensors and properties of the model. Refused during a drain, so that no new client stays."""
        if self._draining:
            raise Unavailable(DRAINING)
        self._identity.check(request.name, request.version)
        return model_metadata(self._identity, self._max_rows, makes_spans=self._tracer is not None)

    @_translated
    async def ModelConfig(self, request: oip.ModelConfigRequest, _context: Context) -> oip.ModelConfigResponse:
        """Returns the configuration of the model in Triton's form."""
        self._identity.check(request.name, request.version)
        return model_config(self._identity)

    @_translated
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Scores the rows of one request. A call that ends while it is queued is not scored."""
        tracer = self._tracer
        trace = None if tracer is None else tracer.of_call(request, context.invocation_metadata())
        waiter = CallWaiter(trace)
        remembered = StreamCandidates(self._tables)
        try:
            decoded = await self._submit(request, remembered, lambda _decoded: waiter, _remaining_s(context), trace)
        except MeshError as error:
            if trace is not None:
                trace.end(error)
            raise
        response = oip.ModelInferResponse()
        self._replies.fill(response, request.id, decoded, await waiter.scored())
        return response

    async def ModelStreamInfer(self, _requests: object, context: Context) -> None:
        """Reads, predicts and writes at the same time. Ends with status OK when the client ends, or after a drain.

        A malformed message ends the stream after the responses to the messages before it: its sender is faulty.
        """
        if self._draining:
            await context.abort(Unavailable.code, DRAINING)
        outbox = Outbox()
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(context, outbox))
                self._track(reader)
                while (result := await outbox.next()) is not None:
                    await context.write(self._message(result))
        finally:
            outbox.gone = True
        if not reader.cancelled() and (malformed := reader.result()) is not None:
            await context.abort(malformed.code, malformed.reason)

    def _track(self, reader: asyncio.Task[Malformed | None]) -> None:
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _read(self, context: Context, outbox: Outbox) -> Malformed | None:
        """Reads to the end of the stream; returns the malformed message that ended it, if there was one."""
        remembered = StreamCandidates(self._tables)
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                if isinstance(request, Malformed):
                    return request
                await self._admit(request, remembered, outbox)
                await outbox.space()
        finally:
            outbox.finish()
        return None

    async def _admit(self, request: oip.ModelInferRequest, remembered: StreamCandidates, outbox: Outbox) -> None:
        outbox.expect()
        trace = None if self._tracer is None else self._tracer.of_message(request)
        try:
            waiter_for = functools.partial(StreamWaiter, outbox, request.id, trace=trace)
            await self._submit(request, remembered, waiter_for, trace=trace)
        except asyncio.CancelledError:  # a drain began while the table of its candidates was made
            outbox.deliver(RefusedRequest(request.id, Unavailable(DRAINING)))
            raise
        except Exception as error:  # an error of one message must not end the stream, which many callers share
            refusal = for_caller(error, log, "ModelStreamInfer")
            if trace is not None:
                trace.end(refusal)
            outbox.deliver(RefusedRequest(request.id, refusal))

    async def _submit(
        self,
        request: oip.ModelInferRequest,
        remembered: StreamCandidates,
        waiter_for: Callable[[DecodedRequest], Waiter],
        remaining_s: float = math.inf,
        trace: MessageTrace | None = None,
    ) -> DecodedRequest:
        """Checks a request completely, then submits it to the queue; counts a refusal."""
        now_ns = time.monotonic_ns()
        try:
            self._identity.check(request.model_name, request.model_version)
            check_options(request)
            decoded = await self._decode(request, remembered)
            if trace is not None:
                trace.decoded(decoded.count)
            expires_ns = min(expiry_ns(request, now_ns), now_ns + remaining_s * 1e9)
            waiter = waiter_for(decoded)
            self._queue.submit(Work(decoded.rows, decoded.count, waiter, now_ns, expires_ns, decoded.pairs))
        except MeshError as error:
            self._refused(error.code.name)
            raise
        return decoded

    async def _decode(self, request: oip.ModelInferRequest, remembered: StreamCandidates) -> DecodedRequest:
        if not is_factored(request):
            return decode(request, self._features, self._max_rows)
        check_outputs(request)
        factored = decode_factored(request, self._features)
        prepared = await remembered.named(factored.name, factored.included)
        count = factored.pairs(prepared.candidates.count, self._max_rows)
        pairs = Pairs(prepared.table, factored.requests, factored.picks)
        return DecodedRequest(factored.shared, count, raw=True, pairs=pairs)

    def _message(self, result: ScoredRequest | RefusedRequest) -> oip.ModelStreamInferResponse:
        if isinstance(result, RefusedRequest):
            return self._replies.error(result.request_id, result.error)
        message = oip.ModelStreamInferResponse()
        self._replies.fill(message.infer_response, result.request_id, result.decoded, result.scored)
        return message


def _remaining_s(context: Context) -> float:
    remaining_s: float | None = context.time_remaining()
    return math.inf if remaining_s is None else remaining_s
