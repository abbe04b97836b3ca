"""The methods ReportOutcome and StreamOutcomes: reports are taken while offers leave CPU for them.

Without CPU, a unary report waits, and is refused at last. A stream is read more slowly: gRPC's flow control holds its
client back, which costs this supervisor nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc

from mesh.errors import Overloaded
from mesh.grpc_errors import status_for_caller
from mesh.wire import offers_pb2 as wire
from supervisor import messages
from supervisor.callers.gate import CallerGate
from supervisor.callers.metrics import Result
from supervisor.callers.stream_caller import StreamCaller
from supervisor.outcomes.desk import OutcomeDesk
from supervisor.outcomes.rate import OutcomeRate

MAX_STREAMS = 64
MAX_CALLER_STREAMS = MAX_STREAMS // 2  # one caller alone cannot open all streams: the others need some
MAX_WAITING = 1000
LONGEST_WAIT_S = 0.5  # of a unary report
LONGEST_PAUSE_S = 1.0  # of a stream, which never stands still
_log = logging.getLogger("supervisor.outcomes")


class OutcomeService:
    """Serves reports of the callers that `gate` admits. Ends each stream after `stream_age_s`; None: never."""

    def __init__(
        self, desk: OutcomeDesk, rate: OutcomeRate, gate: CallerGate, stream_age_s: float | None = None
    ) -> None:
        self._desk = desk
        self._rate = rate
        self._gate = gate
        self._stream_age_s = stream_age_s
        self._is_draining = False
        self._streams: dict[_Stream, str | None] = {}  # with the names of their callers

    def drain(self) -> None:
        """Ends every stream, once the report that it has read is answered."""
        self._is_draining = True
        for stream in self._streams:
            stream.end()

    async def take(self, encoded: bytes, context: Any) -> bytes:
        """Takes a unary report and returns the encoded response. Raises MeshError.

        To refuse a call costs as much CPU as to take it. Therefore it waits before it is refused: its caller sends the
        next one later.
        """
        admission = self._gate.admit(context, "ReportOutcome")
        if self._rate.waiting >= MAX_WAITING or not await self._rate.turn(LONGEST_WAIT_S):
            if admission is not None:
                admission.count(Result.OVERLOADED)
            raise self._desk.shed()
        request = messages.parse(wire.ReportOutcomeRequest, encoded)
        response = self._desk.take(request, lambda game: self._gate.enter(game, admission, "ReportOutcome"))
        return response.SerializeToString()

    async def serve_stream(self, context: Any) -> None:
        """Takes the reports of a stream, one after the other.

        Raises Overloaded if there are too many streams, in all or of this caller. Raises WrongRequest for bytes that
        cannot be parsed: no id can be read, so no response could name the report.
        """
        caller = StreamCaller(self._gate, context, "StreamOutcomes")
        self._check_streams(caller.name)
        stream = _Stream(self._desk, self._rate, caller)
        self._streams[stream] = caller.name
        age_s = self._stream_age_s
        age_timer = None if age_s is None else asyncio.get_running_loop().call_later(age_s, stream.end)
        if self._is_draining:  # the call arrived while the server was draining
            stream.end()
        try:
            await stream.serve(context)
        finally:
            del self._streams[stream]
            if age_timer is not None:
                age_timer.cancel()

    def _check_streams(self, caller: str | None) -> None:
        fix = "send more reports on each stream"
        if len(self._streams) >= MAX_STREAMS:
            raise Overloaded(f"overloaded: {MAX_STREAMS} streams of outcomes are open; {fix}")
        if caller is not None and list(self._streams.values()).count(caller) >= MAX_CALLER_STREAMS:
            raise Overloaded(f"overloaded: this caller has {MAX_CALLER_STREAMS} streams of outcomes; {fix}")


class _Stream:
    """One StreamOutcomes call."""

    def __init__(self, desk: OutcomeDesk, rate: OutcomeRate, caller: StreamCaller) -> None:
        self._desk = desk
        self._rate = rate
        self._caller = caller
        self._is_ending = False
        self._is_reading = False
        self._task: asyncio.Task[None] | None = None

    async def serve(self, context: Any) -> None:
        """Answers the reports until the stream ends, in a task that `end` can cancel."""
        self._task = asyncio.create_task(self._serve(context))
        try:
            await asyncio.wait((self._task,))
        finally:  # the caller may have left
            self._task.cancel()
        if not self._task.cancelled():
            self._task.result()

    def end(self) -> None:
        """Stops reading. A report that was read is answered."""
        self._is_ending = True
        if self._task is not None and self._is_reading:
            self._task.cancel()

    async def _serve(self, context: Any) -> None:
        """Answers each report before it reads the next one."""
        while not self._is_ending:
            await self._rate.turn(LONGEST_PAUSE_S)
            self._is_reading = True
            encoded = await context.read()
            self._is_reading = False
            if encoded is grpc.aio.EOF:
                return
            request = messages.parse(wire.ReportOutcomeRequest, encoded)
            await context.write(self._respond(request).SerializeToString())

    def _respond(self, request: wire.ReportOutcomeRequest) -> wire.ReportOutcomeResponse:
        try:
            return self._desk.take(request, self._caller.enter)
        except Exception as error:  # many reports share the stream: a bug in one must not end the others
            code, text, _ = status_for_caller(error, _log, "StreamOutcomes")
        wire_error = wire.Error(code=code.value[0], message=text)
        return wire.ReportOutcomeResponse(outcome_id=request.outcome_id, error=wire_error)
