"""A lane: one gRPC channel and one stream to one replica of a model, reconnected after each loss."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, Generic, Literal, NamedTuple

import grpc

from mesh.back_off import BackOff, Uniform
from mesh.errors import MeshError, Unavailable, UnknownCandidates
from mesh.factored_rows import pairs_taken
from mesh.model_file import BadModel, from_properties
from mesh.tracing import traceparent
from mesh.wire import inference_pb2 as oip
from supervisor.connect_gate import ConnectGate
from supervisor.lane_channels import LaneChannels
from supervisor.lane_ports import LaneOwner, RequestT
from supervisor.lane_reply import read_reply
from supervisor.replica_calls import ask_model, open_stream, raise_if_cancelled

LaneState = Literal["connecting", "up", "down"]
CONNECTING_S = 2.0  # so long, rows wait for a lane that has not connected yet
ASK_S = 0.5  # for the model's metadata, after the connection
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
STEADY_S = 5.0  # longer than gRPC needs to detect a frozen replica
MAX_REASONS = 4  # in the log, for each time that the lane is down
_log = logging.getLogger("supervisor.lane")


class _Sent(NamedTuple, Generic[RequestT]):
    request: RequestT
    with_candidates: bool


class Lane(Generic[RequestT]):
    """The connection to one replica. `run` keeps it connected; `send` sends a request while it is up.

    While its replica is assigned, the lane never cancels the stream: late replies arrive, and the owner drops them.
    `gate` bounds the attempts to connect; all lanes of a process share it. `channels` opens the channels.
    """

    def __init__(
        self,
        address: str,
        model: str,
        owner: LaneOwner[RequestT],
        gate: ConnectGate,
        uniform: Uniform = random.uniform,
        channels: LaneChannels | None = None,
    ) -> None:
        self.address = address
        self.state: LaneState = "connecting"
        self.why_down = "connecting"
        self.outstanding_rows = 0
        self.max_pairs: int | None = None  # in a message of factored rows; None: the replica does not accept them
        self.is_successor = False  # another lane to this replica serves until this one is up
        self._takes_spans = False  # whether the replica makes spans
        self._channels = channels or LaneChannels()
        self._key_pair = self._channels.key_pair  # of the channel
        self._model = model
        self._owner = owner
        self._gate = gate
        self._pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, uniform)
        self._numbers = count(1)
        self._outstanding: dict[str, _Sent[RequestT]] = {}
        self._remembered: str | None = None  # the name of the candidates that the replica has from this stream
        self._outbox: deque[bytes] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._logged: set[str] = set()
        self._steady: asyncio.TimerHandle | None = None
        self._attempt_s = 0.0  # the duration of the last attempt to connect

    @property
    def is_stale(self) -> bool:
        """Whether the lane is up with another certificate than the one in use."""
        return self.state == "up" and self._key_pair is not self._channels.key_pair

    def outstanding(self) -> list[RequestT]:
        """Returns the requests sent and not answered, in the order of sending."""
        return [sent.request for sent in self._outstanding.values()]

    def send(self, request: RequestT) -> None:
        """Sends `request`; the owner receives it back exactly once, by `on_reply` or `on_down`."""
        number = str(next(self._numbers))
        rows, with_candidates = self._encoded(request)
        self._outstanding[number] = _Sent(request, with_candidates)
        self.outstanding_rows += request.rows
        head = oip.ModelInferRequest(model_name=self._model, id=number)
        head.parameters["timeout"].int64_param = max(1, int(request.budget_s() * 1e6))
        span = request.begin_span(self.address)
        if span and self._takes_spans:
            head.parameters[traceparent.NAME].string_param = span
        # Two concatenated protobuf messages are the encoding of their merge: all models share the encoded rows.
        self._outbox.append(head.SerializeToString() + rows)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _encoded(self, request: RequestT) -> tuple[bytes, bool]:
        """The rows in the form that the replica accepts, and whether the candidates go with them."""
        part = None if self.max_pairs is None else request.factored()
        if part is None:
            return request.plain(), False
        if part.candidates.name == self._remembered:
            return part.encoded, False
        self._remembered = part.candidates.name
        return part.candidates.encoded + part.encoded, True

    async def emptied(self) -> None:
        """Returns when no request is outstanding: each is answered, or was lost with the stream."""
        while self._outstanding:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def run(self) -> None:
        """Connects, and reconnects after each loss, until cancelled.

        The pauses between attempts grow to `LONGEST_PAUSE_S` until a stream has stayed open for `STEADY_S`.
        """
        overdue = asyncio.get_running_loop().call_later(CONNECTING_S, self._stop_first_wait)
        try:
            while True:
                try:
                    reason = await self._session()
                finally:
                    self._go_down()
                self._log_down(reason)
                raise_if_cancelled()
                await asyncio.sleep(self._pauses.next_s(self._attempt_s))
        finally:
            overdue.cancel()

    async def _session(self) -> str:
        """Connects and serves until the stream ends; returns the reason of the end.

        Each session has its own channel, which is closed before the pause: an open channel reconnects by itself, and
        the gate would not bound these attempts.
        """
        try:
            async with AsyncExitStack() as stack:
                channel = await self._connect(stack)
                await self._stream(channel)
        except grpc.aio.AioRpcError as error:
            return self._channels.reason(error.details() or error.code().name)
        except (MeshError, BadModel) as error:
            return error.reason
        except Exception:  # malformed data of one replica must not end the reconnecting of its lane
            _log.exception("the lane to %s at %s failed", self._model, self.address)
            return "the replica sent malformed data"
        return "the replica ended the stream"

    async def _connect(self, stack: AsyncExitStack) -> grpc.aio.Channel:
        """Waits for a turn, and opens a channel to a replica whose model the owner accepts; `stack` closes it."""
        loop = asyncio.get_running_loop()
        async with self._gate.turn(self._pauses.failures) as limit_s:
            began_s = loop.time()
            try:
                self._key_pair = self._channels.key_pair
                channel = self._channels.open(self.address, limit_s)
                await stack.enter_async_context(channel)
                properties = await ask_model(channel, self._model, limit_s + ASK_S)
                self._owner.accept(self, from_properties(properties), properties)
                self.max_pairs = pairs_taken(properties)
                self._takes_spans = traceparent.PROPERTY in properties
            finally:
                self._attempt_s = loop.time() - began_s
        return channel

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        call = open_stream(channel)
        writing = asyncio.create_task(self._write(call))
        self._go_up()
        try:
            await self._read(call)
        finally:
            self.state = "down"  # at once, because a request sent from here on would be lost
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, call: Any) -> None:
        while True:
            reply = await call.read()
            if reply is grpc.aio.EOF:
                self.state = "down"
                status = await call.code()
                if status is not grpc.StatusCode.OK:
                    raise Unavailable(await call.details() or status.name)
                return
            self._take(reply)

    async def _write(self, call: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._outbox:
                    await call.write(self._outbox.popleft())
                self._wake = loop.create_future()
                await self._wake
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended; the reader gets the reason

    def _take(self, reply: oip.ModelStreamInferResponse) -> None:
        sent = self._outstanding.pop(reply.infer_response.id, None)
        if sent is None:
            _log.warning("%s at %s answered an unknown id: %s", self._model, self.address, reply.error_message)
            return
        request = sent.request
        self.outstanding_rows -= request.rows
        outcome = read_reply(reply, request.rows)
        if isinstance(outcome, UnknownCandidates) and not sent.with_candidates:
            self._remembered = None
            self.send(request)
            return
        self._owner.on_reply(self, request, outcome)
        self._wake_if_emptied()

    def _go_up(self) -> None:
        self.state, self.why_down = "up", ""
        self._logged.clear()
        self._steady = asyncio.get_running_loop().call_later(STEADY_S, self._pauses.reset)
        _log.info("%s at %s is up", self._model, self.address)
        self._owner.on_up(self)

    def _go_down(self) -> None:
        self.state = "down"
        if self._steady is not None:
            self._steady.cancel()
        lost = self.outstanding()
        self._outstanding.clear()
        self._outbox.clear()
        self._remembered = None
        self.outstanding_rows = 0
        self._owner.on_down(self, lost)
        self._wake_if_emptied()

    def _wake_if_emptied(self) -> None:
        if self._emptied is not None and not self._outstanding and not self._emptied.done():
            self._emptied.set_result(None)

    def _stop_first_wait(self) -> None:
        """Goes down if the first attempt takes too long: rows must not wait for this replica."""
        if self.state == "connecting":
            self.why_down = "waiting for a turn to connect"
            self._go_down()

    def _log_down(self, reason: str) -> None:
        """Logs each reason once until the lane is up again."""
        if reason not in self._logged and len(self._logged) < MAX_REASONS:
            self._logged.add(reason)
            what = "gets no new connection, the one before stays" if self.is_successor else "is down"
            _log.warning("%s at %s %s: %s", self._model, self.address, what, reason)
        self.why_down = reason
