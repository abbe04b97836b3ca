"""Runs the process that writes the log of one game, again after each end of it."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import sys
import time
from collections import Counter

from mesh.back_off import BackOff
from mesh.decisions.block import DecisionBlock, OutcomeBlock, SideFile
from mesh.process import Launch, running
from supervisor.decisions.channel import Destination, SupervisorEnd, WriterReport, encode

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
LONG_RUN_S = 60.0  # a writer that ran so long was good
KILL_S = 1.0  # after `Destination.stop_s`
SEND_BYTES = 2**20
DEAD, QUEUE = "writer-down", "queue-full"
_log = logging.getLogger("supervisor.decisions")


class WriterProcess:
    """The writer of `destination`. Records that it cannot take are dropped and counted in `dropped` by reason.

    The blocks that wait for the writer take at most `queue_bytes`. `written` counts the records in complete files.
    """

    def __init__(self, destination: Destination, queue_bytes: int, log_level: str) -> None:
        self.destination = destination
        self.dropped: Counter[str] = Counter()
        self.written = 0
        self.report = WriterReport()
        self.pid: int | None = None
        self._queue_bytes = queue_bytes
        self._log_level = log_level
        self._side_files: dict[str, bytes] = {}  # sent again to each new process
        self._end: SupervisorEnd | None = None
        self._sent = 0  # records that this process got
        self._ended = asyncio.Event()
        self._is_last = asyncio.Event()

    @property
    def waiting_bytes(self) -> int:
        """The size of the blocks that wait for the process."""
        return self._end.waiting_bytes if self._end is not None else 0

    @property
    def has_room(self) -> bool:
        """Whether the next block will be taken."""
        return self._end is not None and self.waiting_bytes < self._queue_bytes

    def send(self, block: DecisionBlock | OutcomeBlock, records: int) -> None:
        """Hands a block over, or drops it."""
        if self._end is None:
            self.dropped[DEAD] += records
        elif self.waiting_bytes >= self._queue_bytes:
            self.dropped[QUEUE] += records
        else:
            self._sent += records
            self._end.send(encode(block))

    def add_side_file(self, file: SideFile) -> None:
        """Hands a side file over, before the blocks that name it."""
        if file.path not in self._side_files:
            self._side_files[file.path] = encode(file)
            if self._end is not None:
                self._end.send(self._side_files[file.path])

    def finish(self) -> None:
        """Lets the process write all it has, and end; `run` returns then."""
        self._is_last.set()
        if self._end is not None:
            self._end.finish()

    async def run(self) -> None:
        """Runs the process until `finish`, with a pause after each failure."""
        back_off = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, random.uniform)
        while not self._is_last.is_set():
            started_s = time.monotonic()
            try:
                await self._run_once()
            except OSError as error:
                _log.error("%s: cannot start the writer of the decision log: %s", self.destination.game, error)
            if self._is_last.is_set():
                return
            if time.monotonic() - started_s > LONG_RUN_S:
                back_off.reset()
            pause_s = back_off.next_s()
            _log.warning(
                "%s: the writer of the decision log has ended; it starts again in %.1f s",
                self.destination.game,
                pause_s,
            )
            await _set_within(self._is_last, pause_s)

    async def _run_once(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "supervisor.decisions.writer", "--fd", str(theirs.fileno())]
        launch = Launch(
            f"writer of {self.destination.game}",
            [*command, "--log-level", self._log_level],
            inherited_fds=(theirs.fileno(),),
            new_session=False,  # so that its nice value counts against this process
        )
        with ours, theirs:
            async with running(launch, drain_s=KILL_S) as process:
                theirs.close()
                self.pid = process.pid
                self._open(ours)
                try:
                    await self._until_ended()
                finally:
                    self._close()
                    self.pid = None

    def _open(self, ours: socket.socket) -> None:
        self._ended.clear()
        self._end = SupervisorEnd(ours, self._on_report, self._ended.set)
        self._end.send(encode(self.destination))
        for encoded in self._side_files.values():
            self._end.send(encoded)
        if self._is_last.is_set():
            self._end.finish()

    async def _until_ended(self) -> None:
        """Waits until the process has closed its end: at once, or in time after the last message."""
        ended = asyncio.ensure_future(self._ended.wait())
        last = asyncio.ensure_future(self._is_last.wait())
        try:
            await asyncio.wait((ended, last), return_when=asyncio.FIRST_COMPLETED)
            if not await _set_within(self._ended, self.destination.stop_s):
                _log.error("%s: the writer of the decision log did not finish in time", self.destination.game)
        finally:
            ended.cancel()
            last.cancel()

    def _close(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None
        report = self.report
        lost = self._sent - report.written - sum(report.dropped.values())
        if lost > 0:
            self.dropped[DEAD] += lost
        self._sent, self.report = 0, WriterReport(flushed_s=report.flushed_s, failure=report.failure)

    def _on_report(self, report: WriterReport) -> None:
        self.written += report.written - self.report.written
        for reason, count in report.dropped.items():
            self.dropped[reason] += count - self.report.dropped.get(reason, 0)
        if report.failure and report.failure != self.report.failure:
            _log.warning("%s: the decision log cannot be written: %s", self.destination.game, report.failure)
        self.report = report


async def _set_within(event: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
