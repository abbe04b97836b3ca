"""A lane: one channel and one stream to one replica of a model, kept up for as long as the replica is wanted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, NamedTuple, Protocol

import grpc
import numpy as np
from numpy.typing import NDArray

from mesh import serving
from mesh.errors import MeshError, Overloaded, Unavailable, UnknownCandidates
from mesh.factored_rows import pairs_taken
from mesh.model_file import BadModel, ModelHeader, from_properties
from mesh.wire import inference_pb2 as oip
from supervisor.encoding import FactoredPart

LaneState = Literal["connecting", "up", "down"]
CONNECT_S = 2.0
BACKOFF_S = (0.1, 0.2, 0.4, 0.5)
_SERVICE = "/inference.GRPCInferenceService/"
_ERRORS: dict[str, type[MeshError]] = {"RESOURCE_EXHAUSTED": Overloaded, "FAILED_PRECONDITION": UnknownCandidates}
_log = logging.getLogger("supervisor.lane")


@dataclass(frozen=True, slots=True)
class Scores:
    """A replica's reply to one message: `values` is row-major [rows x outputs]."""

    values: NDArray[np.float64]
    predict_s: float | None
    starved: float


class Shipment(Protocol):
    """What travels on a lane: some rows of one model, and what to do when they come back."""

    @property
    def rows(self) -> int:
        """How many rows it carries."""
        ...

    def plain(self) -> bytes:
        """The encoded part of the request that carries the rows."""
        ...

    def factored(self) -> FactoredPart | None:
        """The same in factored rows, where these are less."""
        ...

    def budget_s(self) -> float:
        """The time that is left for an answer."""
        ...


class _Sent(NamedTuple):
    shipment: Shipment
    with_candidates: bool


class LaneOwner(Protocol):
    """Who sends on a lane, and hears of it."""

    def accept(self, lane: Lane, header: ModelHeader, properties: dict[str, str]) -> None:
        """Says yes to what the replica serves, or raises MeshError with the reason why not."""
        ...

    def on_up(self) -> None:
        """A lane can carry shipments."""
        ...

    def on_down(self, lost: list[Any]) -> None:
        """A lane is down; the shipments that were on it will not come back."""
        ...

    def on_reply(self, lane: Lane, shipment: Any, reply: Scores | MeshError) -> None:
        """A shipment came back."""
        ...


class Lane:
    """One replica. `run` keeps it connected; `send` puts a shipment on it while it is up.

    No call is ever cancelled while the lane is wanted: late replies arrive and are dropped by their owner.
    """

    def __init__(self, address: str, model: str, owner: LaneOwner) -> None:
        self.address = address
        self.state: LaneState = "connecting"
        self.why_down = "connecting"
        self.outstanding_rows = 0
        self.max_pairs: int | None = None  # in a message of factored rows; None: the replica takes none
        self._model = model
        self._owner = owner
        self._numbers = count(1)
        self._outstanding: dict[str, _Sent] = {}
        self._remembered: str | None = None  # the candidates that the replica has from this stream
        self._outbox: deque[bytes] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._emptied: asyncio.Future[None] | None = None

    def send(self, shipment: Shipment) -> None:
        """Puts `shipment` on the lane; its owner hears of it exactly once, by `on_reply` or `on_down`."""
        number = str(next(self._numbers))
        rows, with_candidates = self._encoded(shipment)
        self._outstanding[number] = _Sent(shipment, with_candidates)
        self.outstanding_rows += shipment.rows
        head = oip.ModelInferRequest(model_name=self._model, id=number)
        head.parameters["timeout"].int64_param = max(1, int(shipment.budget_s() * 1e6))
        # Two encoded messages, one after the other, are the encoding of their merge: the rows are encoded once for all.
        self._outbox.append(head.SerializeToString() + rows)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _encoded(self, shipment: Shipment) -> tuple[bytes, bool]:
        """The rows as the replica takes them, and whether with candidates that it does not remember."""
        part = None if self.max_pairs is None else shipment.factored()
        if part is None:
            return shipment.plain(), False
        if part.candidates.name == self._remembered:
            return part.encoded, False
        self._remembered = part.candidates.name
        return part.candidates.encoded + part.encoded, True

    async def emptied(self) -> None:
        """Returns when nothing is outstanding: all has come back, or was lost with the stream."""
        while self._outstanding:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied

    async def run(self) -> None:
        """Connects, and connects again after a loss, until cancelled."""
        options = serving.lane_options()
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            tries = 0
            while True:
                began_s = time.monotonic()
                try:
                    await self._session(channel)
                    reason = "the replica ended the stream"
                except grpc.aio.AioRpcError as error:
                    reason = error.details() or error.code().name
                except (MeshError, BadModel) as error:
                    reason = error.reason
                except Exception:  # what one replica sends must not end its lane for ever
                    _log.exception("the lane to %s at %s broke", self._model, self.address)
                    reason = "the replica sent what makes no sense"
                finally:
                    self._go_down()
                tries = 0 if time.monotonic() - began_s > BACKOFF_S[-1] else tries + 1
                self._say_down(reason)
                await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])

    async def _session(self, channel: grpc.aio.Channel) -> None:
        ask = channel.unary_unary(
            _SERVICE + "ModelMetadata",
            request_serializer=oip.ModelMetadataRequest.SerializeToString,
            response_deserializer=oip.ModelMetadataResponse.FromString,
        )
        metadata = await ask(oip.ModelMetadataRequest(name=self._model), timeout=CONNECT_S)
        properties = dict(metadata.properties)
        self._owner.accept(self, from_properties(properties), properties)
        self.max_pairs = pairs_taken(properties)
        call: Any = channel.stream_stream(
            _SERVICE + "ModelStreamInfer", response_deserializer=oip.ModelStreamInferResponse.FromString
        )()
        writing = asyncio.create_task(self._write(call))
        self._go_up()
        try:
            await self._read(call)
        finally:
            self.state = "down"  # at once: what is sent from here on would be lost
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
            return  # the stream is over; the reader hears why

    def _take(self, reply: oip.ModelStreamInferResponse) -> None:
        sent = self._outstanding.pop(reply.infer_response.id, None)
        if sent is None:
            _log.warning("%s at %s answered an unknown id: %s", self._model, self.address, reply.error_message)
            return
        shipment = sent.shipment
        self.outstanding_rows -= shipment.rows
        outcome = read_reply(reply, shipment.rows)
        if isinstance(outcome, UnknownCandidates) and not sent.with_candidates:
            self._remembered = None
            self.send(shipment)
            return
        self._owner.on_reply(self, shipment, outcome)
        self._tell_emptied()

    def _go_up(self) -> None:
        self.state, self.why_down = "up", ""
        _log.info("%s at %s is up", self._model, self.address)
        self._owner.on_up()

    def _go_down(self) -> None:
        self.state = "down"
        lost = [sent.shipment for sent in self._outstanding.values()]
        self._outstanding.clear()
        self._outbox.clear()
        self._remembered = None
        self.outstanding_rows = 0
        self._owner.on_down(lost)
        self._tell_emptied()

    def _tell_emptied(self) -> None:
        if self._emptied is not None and not self._outstanding and not self._emptied.done():
            self._emptied.set_result(None)

    def _say_down(self, reason: str) -> None:
        if reason != self.why_down:
            _log.warning("%s at %s is down: %s", self._model, self.address, reason)
        self.why_down = reason


def read_reply(reply: oip.ModelStreamInferResponse, rows: int) -> Scores | MeshError:
    """The scores in a reply, or the error that it carries or is."""
    answer = reply.infer_response
    if reply.error_message:
        code = answer.parameters["code"].string_param
        return _ERRORS.get(code, Unavailable)(reply.error_message)
    raw = answer.raw_output_contents[0] if answer.raw_output_contents else b""
    if not raw or len(raw) % (8 * rows):
        return Unavailable(f"the replica sent {len(raw)} bytes of scores for {rows} rows")
    parameters = answer.parameters
    predict_s = parameters["predict_ns"].int64_param / 1e9 if "predict_ns" in parameters else None
    return Scores(np.frombuffer(raw, "<f8"), predict_s, parameters["starved"].double_param)
