"""Reports of outcomes, sent in the background over one stream and repeated until a supervisor has taken them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from ensemble_mesh_client.errors import WRONG_CODES
from ensemble_mesh_client.security import Security, open_channel
from ensemble_mesh_client.stream_end import FirstStatus
from ensemble_mesh_client.wire import offers_pb2 as wire

METHOD = "/mesh.v1.Offers/StreamOutcomes"
MOST_WAITING = 10_000
BATCH = 100  # reports without an answer on the stream
ANSWER_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
CLOSE_S = 1.0
MOST_LOGGED = 20  # reasons
ENDED = "UNAVAILABLE: the supervisor ended the stream"
WRONG = "outcomes are dropped, because the mesh calls them wrong: %s"
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_log = logging.getLogger("ensemble_mesh_client")


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """Reports that a supervisor has taken, that wait, and that were dropped because too many waited."""

    taken: int
    waiting: int
    dropped: int


class OutcomeReports:
    """At most `MOST_WAITING` reports wait; of more, the oldest are dropped and counted in `dropped`; `taken` counts
    the reports that a supervisor has.

    `address` returns the address of a connected supervisor, or None.
    """

    def __init__(self, game: str, address: Callable[[], str | None], security: Security | None) -> None:
        self.dropped = 0
        self.taken = 0
        self._logged: set[str] = set()
        self._game = game
        self._address = address
        self._security = security
        self._waiting: dict[int, wire.ReportOutcomeRequest] = {}  # by number, in the order of their arrival
        self._numbers = itertools.count()
        self._is_new = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def counts(self) -> OutcomeCounts:
        """The counts until now."""
        return OutcomeCounts(self.taken, len(self._waiting), self.dropped)

    def add(self, report: wire.ReportOutcomeRequest) -> None:
        """Queues a report. Its `outcome_id` is required: repeated reports count once by it."""
        if not report.outcome_id:
            raise ValueError("outcome_id: is missing; give the id of the transaction, or DECISION_ID-shown")
        report.game = report.game or self._game
        if len(self._waiting) >= MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        self._waiting[next(self._numbers)] = report
        self._is_empty.clear()
        self._is_new.set()

    async def run(self) -> None:
        """Sends reports, until cancelled."""
        failures = 0
        while True:
            await self._is_new.wait()
            try:
                await self._send_all()
                failures = 0
            except Exception as error:  # no answer of a supervisor may end the reporting
                failures += 1
                self._log_once("outcomes wait: %s", str(error))
                pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 10))
                await asyncio.sleep(random.uniform(0.5, 1) * pause_s)

    async def close(self) -> None:
        """Waits until all reports are taken, for `CLOSE_S` at most."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._is_empty.wait()
        except TimeoutError:
            _log.warning("%d outcomes were not reported", len(self._waiting))

    async def _send_all(self) -> None:
        address = self._address()
        if address is None:
            raise _NotTaken("")  # the links log why
        try:
            await self._send_all_to(address)
        except TimeoutError:
            raise _NotTaken(f"{address}: UNAVAILABLE: no answer in time") from None
        except OSError as error:  # a file of the security
            raise _NotTaken(f"{address}: UNAVAILABLE: {error}") from error
        except _NotTaken as error:
            raise _NotTaken(f"{address}: {error}") from error

    async def _send_all_to(self, address: str) -> None:
        async with open_channel(address, self._security) as channel:
            stream = channel.stream_stream(
                METHOD,
                request_serializer=wire.ReportOutcomeRequest.SerializeToString,
                response_deserializer=wire.ReportOutcomeResponse.FromString,
            )()
            first = FirstStatus(stream)
            try:
                while self._waiting:
                    await self._send_batch(stream)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):  # InvalidStateError: the stream had ended
                raise _NotTaken((await first.end()).failure or ENDED) from None
            self._is_new.clear()
            self._is_empty.set()
            await stream.done_writing()

    async def _send_batch(self, stream: Any) -> None:
        """Sends the oldest reports, and removes those that were taken; raises _NotTaken if others are left."""
        batch = list(itertools.islice(self._waiting.items(), BATCH))
        fault = ""
        async with asyncio.timeout(ANSWER_S):
            for _, report in batch:
                await stream.write(report)
            for number, _ in batch:
                response = await stream.read()
                if response is grpc.aio.EOF:
                    raise _NotTaken(ENDED)
                if not response.error.code or response.error.code in WRONG_CODES:
                    self._waiting.pop(number, None)
                    self.taken += not response.error.code
                    self._log_once(WRONG, response.error.message)
                else:
                    fault = f"{_CODES.get(response.error.code, 'UNKNOWN')}: {response.error.message}"
        if fault:
            raise _NotTaken(fault)

    def _log_once(self, text: str, reason: str) -> None:
        """Logs each reason once."""
        if reason and reason not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(reason)
            _log.warning(text, reason)


class _NotTaken(Exception):
    """The report was not taken; it is repeated."""
