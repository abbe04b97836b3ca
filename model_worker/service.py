"""The Open Inference Protocol as a gRPC servicer: one model, whose requests all meet in one queue."""

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
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc
from model_worker.batch import Pairs, Waiter, Work
from model_worker.candidates import ReadyLists, RememberedCandidates
from model_worker.factored import decode_factored, is_factored
from model_worker.forest import Candidates, CandidateTable
from model_worker.identity import Identity, model_config, model_metadata, server_metadata
from model_worker.queue import CallWaiter
from model_worker.replies import Replies
from model_worker.stream import Answer, Outbox, Refusal, StreamWaiter
from model_worker.tensors import Question, check_outputs, decode, expiry_ns

log = logging.getLogger(__name__)

SERVICE = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
DRAINING = "draining: no new work is taken"

Context = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Method = Callable[["InferenceService", _Request, Context], Awaitable[_Response]]


def _translated(method: _Method[_Request, _Response]) -> _Method[_Request, _Response]:
    """Errors of the mesh become gRPC statuses; an unexpected one is logged, and crosses without its text."""

    @functools.wraps(method)
    async def call(self: InferenceService, request: _Request, context: Context) -> _Response:
        return await or_abort(method(self, request, context), context, log, method.__name__)

    return call


class Admission(Protocol):
    """Where requests wait to be scored."""

    def submit(self, work: Work) -> None:
        """Admits `work`, or raises a `MeshError` at once."""

    def close(self) -> None:
        """Refuses from now on."""


class InferenceService(inference_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers for the model of `identity` out of `queue`, in requests of up to `max_rows` rows.

    `make_ready` is the forest's: it makes a table of candidates. `refused` is told the code of each request that was
    not admitted.
    """

    def __init__(
        self,
        identity: Identity,
        queue: Admission,
        make_ready: Callable[[Candidates], CandidateTable],
        max_rows: int,
        refused: Callable[[str], None],
    ) -> None:
        self._identity = identity
        self._features = len(identity.header.feature_names)
        self._queue = queue
        self._max_rows = max_rows
        self._refused = refused
        self._lists = ReadyLists(make_ready)
        self._replies = Replies(identity.name, identity.header.classes)
        self._draining = False
        self._readers: set[asyncio.Task[None]] = set()

    def drain(self) -> None:
        """Refuses what comes from now on; streams stop reading, write what they owe, and end well."""
        self._draining = True
        self._queue.close()
        for reader in self._readers:
            reader.cancel()

    @_translated
    async def ServerLive(self, _request: oip.ServerLiveRequest, _context: Context) -> oip.ServerLiveResponse:
        """The process lives."""
        return oip.ServerLiveResponse(live=True)

    @_translated
    async def ServerReady(self, _request: oip.ServerReadyRequest, _context: Context) -> oip.ServerReadyResponse:
        """Whether new work is taken."""
        return oip.ServerReadyResponse(ready=not self._draining)

    @_translated
    async def ModelReady(self, request: oip.ModelReadyRequest, _context: Context) -> oip.ModelReadyResponse:
        """Whether new work for the model is taken."""
        self._identity.check(request.name, request.version)
        return oip.ModelReadyResponse(ready=not self._draining)

    @_translated
    async def ServerMetadata(
        self, _request: oip.ServerMetadataRequest, _context: Context
    ) -> oip.ServerMetadataResponse:
        """Name and version of the server."""
        return server_metadata()

    @_translated
    async def ModelMetadata(self, request: oip.ModelMetadataRequest, _context: Context) -> oip.ModelMetadataResponse:
        """The model's tensors, and its header as properties; refused at a drain, when nobody should come to stay."""
        if self._draining:
            raise Unavailable(DRAINING)
        self._identity.check(request.name, request.version)
        return model_metadata(self._identity, self._max_rows)

    @_translated
    async def ModelConfig(self, request: oip.ModelConfigRequest, _context: Context) -> oip.ModelConfigResponse:
        """The model as Triton's clients want it described."""
        self._identity.check(request.name, request.version)
        return model_config(self._identity)

    @_translated
    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Scores the rows of one request; a call that ends before its turn costs nothing."""
        waiter = CallWaiter()
        remembered = RememberedCandidates(self._lists)
        question = await self._enter(request, remembered, lambda _question: waiter, _remaining_s(context))
        response = oip.ModelInferResponse()
        self._replies.fill(response, request.id, question, await waiter.scored())
        return response

    async def ModelStreamInfer(self, _requests: object, context: Context) -> None:
        """Reads, predicts and writes at the same time; ends well when the client has, or at a drain."""
        if self._draining:
            await context.abort(Unavailable.code, DRAINING)
        outbox = Outbox()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._keep(tasks.create_task(self._read(context, outbox)))
                while (answer := await outbox.next()) is not None:
                    await context.write(self._message(answer))
        finally:
            outbox.gone = True

    def _keep(self, reader: asyncio.Task[None]) -> None:
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _read(self, context: Context, outbox: Outbox) -> None:
        remembered = RememberedCandidates(self._lists)
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                await self._admit(request, remembered, outbox)
                await outbox.room()
        finally:
            outbox.finish()

    async def _admit(self, request: oip.ModelInferRequest, remembered: RememberedCandidates, outbox: Outbox) -> None:
        outbox.expect()
        try:
            await self._enter(request, remembered, functools.partial(StreamWaiter, outbox, request.id))
        except asyncio.CancelledError:  # a drain began while its candidates were made ready
            outbox.deliver(Refusal(request.id, Unavailable(DRAINING)))
            raise
        except Exception as error:  # one message must not end a stream that many share
            outbox.deliver(Refusal(request.id, for_caller(error, log, "ModelStreamInfer")))

    async def _enter(
        self,
        request: oip.ModelInferRequest,
        remembered: RememberedCandidates,
        waiter_for: Callable[[Question], Waiter],
        remaining_s: float = math.inf,
    ) -> Question:
        """The door: whatever is wrong with a request is found here, before it waits with others."""
        now_ns = time.monotonic_ns()
        try:
            self._identity.check(request.model_name, request.model_version)
            question = await self._question(request, remembered)
            expires_ns = min(expiry_ns(request, now_ns), now_ns + remaining_s * 1e9)
            waiter = waiter_for(question)
            self._queue.submit(Work(question.rows, question.count, waiter, now_ns, expires_ns, question.pairs))
        except MeshError as error:
            self._refused(error.code.name)
            raise
        return question

    async def _question(self, request: oip.ModelInferRequest, remembered: RememberedCandidates) -> Question:
        if not is_factored(request):
            return decode(request, self._features, self._max_rows)
        check_outputs(request)
        factored = decode_factored(request, self._features)
        candidates = await remembered.named(factored.name, factored.brought)
        count = factored.pairs(candidates.listed.count, self._max_rows)
        pairs = Pairs(candidates.table, factored.requests, factored.picks)
        return Question(factored.shared, count, raw=True, pairs=pairs)

    def _message(self, answer: Answer | Refusal) -> oip.ModelStreamInferResponse:
        if isinstance(answer, Refusal):
            return self._replies.refusal(answer.request_id, answer.error)
        message = oip.ModelStreamInferResponse()
        self._replies.fill(message.infer_response, answer.request_id, answer.question, answer.scored)
        return message


def _remaining_s(context: Context) -> float:
    remaining_s: float | None = context.time_remaining()
    return math.inf if remaining_s is None else remaining_s
