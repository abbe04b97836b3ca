"""Runs the process that writes the log of one game, again after each end of it."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence

from mesh.back_off import BackOff
from mesh.decisions.block import DecisionBlock, OutcomeBlock, SideFile
from mesh.first_of import first_of
from mesh.process import Launch, running
from supervisor.decisions.channel import Destination, SupervisorEnd, WriterReport, encoded_parts

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
KEPT_FILES = 128
LONG_RUN_S = 60.0  # a writer that ran so long was good
KILL_S = 1.0  # after `Destination.stop_s`
DEAD, QUEUE = "writer-down", "queue-full"
_log = logging.getLogger("supervisor.decisions")


class WriterProcess:
    """The writer of `destination`. Records that it cannot take are dropped and counted in `dropped` by reason.

    The blocks that wait for the writer take at most `queue_bytes`. `written` counts the records in complete files. The
    records in memory wait since `waits_since_s` (time.time()) or the last complete file; None: none waits.
    """

    def __init__(self, destination: Destination, queue_bytes: int, log_words: Sequence[str]) -> None:
        self.destination = destination
        self.dropped: Counter[str] = Counter()
        self.written = 0
        self.report = WriterReport()
        self.pid: int | None = None
        self.waits_since_s: float | None = None
        self._queue_bytes = queue_bytes
        self._log_words = log_words
        self._side_files: dict[str, SideFile] = {}  # sent again to each new process; the latest ones, in order of use
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
        if self._end is None or not self.has_room:
            self.drop(records)
            return
        self._sent += records
        self._end.send(*encoded_parts(block))

    def drop(self, records: int) -> None:
        """Drops records without the work for their block."""
        self.dropped[DEAD if self._end is None else QUEUE] += records

    def add_side_file(self, file: SideFile) -> None:
        """Hands a side file over, before the blocks that name it."""
        is_new = self._side_files.pop(file.path, None) is None
        self._side_files[file.path] = file
        if is_new and self._end is not None:
            self._end.send(*encoded_parts(file))
        if len(self._side_files) > KEPT_FILES:  # one that a later block names comes again before that block
            del self._side_files[next(iter(self._side_files))]

    def finish(self) -> None:
        """Lets the process write all it has, and end."""
        self._is_last.set()
        if self._end is not None:
            self._end.finish()

    def start(self) -> asyncio.Task[None]:
        """Starts the process, and again, after a pause, when it has failed. The task ends after `finish`."""
        theirs = self._open()  # at once, so that no block is dropped while the process starts
        return asyncio.create_task(self._run(theirs))

    async def _run(self, theirs: socket.socket | None) -> None:
        back_off = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, random.uniform)
        game = self.destination.game
        while True:
            started_s = time.monotonic()
            try:
                if theirs is not None:
                    await self._run_once(theirs)
            except Exception:  # whatever it is, the answers go on without a log
                _log.exception("%s: cannot run the writer of the decision log", game)
            finally:
                if theirs is not None:
                    theirs.close()
                self._close()
            if self._is_last.is_set():
                return
            if time.monotonic() - started_s > LONG_RUN_S:
                back_off.reset()
            pause_s = back_off.next_s()
            _log.warning("%s: the writer of the decision log has ended; it starts again in %.1f s", game, pause_s)
            await first_of(self._is_last.wait(), within_s=pause_s)
            if self._is_last.is_set():
                return
            theirs = self._open()

    async def _run_once(self, theirs: socket.socket) -> None:
        command = [sys.executable, "-m", "supervisor.decisions.writer", "--fd", str(theirs.fileno())]
        launch = Launch(
            f"writer of {self.destination.game}",
            [*command, *self._log_words],
            inherited_fds=(theirs.fileno(),),
        )
        async with running(launch, drain_s=KILL_S) as process:
            theirs.close()
            self.pid = process.pid
            try:
                await self._until_ended()
            finally:
                self.pid = None

    def _open(self) -> socket.socket | None:
        """Opens the channel, and returns the end of the process; None if the supervisor has no descriptor for it."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            _log.error("%s: cannot open a channel to the writer: %s", self.destination.game, error)
            return None
        self._ended.clear()
        self._end = SupervisorEnd(ours, self._on_report, self._ended.set)
        self._end.send(*encoded_parts(self.destination))
        for file in self._side_files.values():
            self._end.send(*encoded_parts(file))
        return theirs

    async def _until_ended(self) -> None:
        """Waits until the process has closed its end: in time, once it has got its last message."""
        await first_of(self._ended.wait(), self._is_last.wait())
        if await first_of(self._ended.wait(), within_s=self.destination.stop_s) is None:
            _log.error("%s: the writer of the decision log did not finish in time", self.destination.game)

    def _close(self) -> None:
        """Closes the channel, and counts the records that the process has lost."""
        if self._end is None:
            return
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
        if not report.held:
            self.waits_since_s = None
        elif self.waits_since_s is None or report.flushed_s != self.report.flushed_s:
            self.waits_since_s = time.time()
        self.report = report
