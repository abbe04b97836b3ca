"""The loop of the writer process: gathers frames, makes files of them, and delivers the files to the sink."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from mesh.back_off import BackOff
from mesh.decisions.block import SideFile
from supervisor.decisions.channel import Destination, Frame, WriterReport
from supervisor.decisions.writer.backlog import Backlog, Load
from supervisor.decisions.writer.parquet import LogFile, NewName, log_files
from supervisor.decisions.writer.sink import Sink, SinkFailed

_LOG = logging.getLogger(__name__)
_WARN_EVERY_S = 60.0
_LAST_PAUSE_S = 1.0
_SINK, _BROKEN, _STOPPED = "sink", "broken", "stopped"


@dataclass(slots=True)
class Counts:
    """Counts since the start of the process.

    `dropped` counts records by the reason: `sink` (the sink failed, and the memory was full), `broken` (they could not
    be encoded), `stopped` (not written in time when the log ended).
    """

    written: int = 0
    files: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    flushed_s: float | None = None
    failure: str | None = None

    def write(self, file: LogFile) -> None:
        """Counts a file that is complete."""
        self.written += file.records
        self.files += 1
        self.flushed_s = time.time()

    def drop(self, reason: str, records: int) -> None:
        """Counts records that will not be written."""
        if records:
            self.dropped[reason] = self.dropped.get(reason, 0) + records


class GameLog:
    """Writes the frames of one game to `sink`, with the limits of `destination`."""

    def __init__(self, destination: Destination, sink: Sink, back_off: BackOff, new_name: NewName) -> None:
        self._destination = destination
        self._sink = sink
        self._back_off = back_off
        self._new_name = new_name
        self._counts = Counts()
        self._backlog = Backlog(destination.max_bytes, time.monotonic)
        self._side_files: dict[str, SideFile] = {}
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_overfull = False  # frames were dropped since the last attempt to write
        self._warned_s: float | None = None

    def report(self) -> WriterReport:
        """Returns the report for the supervisor."""
        counts, held = self._counts, self._backlog.held
        return WriterReport(
            written=counts.written,
            files=counts.files,
            dropped=dict(counts.dropped),
            held=held.records,
            held_bytes=held.size_bytes,
            flushed_s=counts.flushed_s,
            failure=counts.failure,
        )

    async def run(self, messages: AsyncIterator[Destination | SideFile | Frame]) -> None:
        """Writes until `messages` end, and then the rest, within the time to stop. Closes the sink."""
        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write())
                async for message in messages:
                    self._receive(message)
                self._ended.set()
                self._changed.set()
                await asyncio.wait((writing,), timeout=self._destination.stop_s)
                writing.cancel()
        finally:
            self._counts.drop(_STOPPED, self._backlog.held.records)
            self._backlog = Backlog(0, time.monotonic)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_PAUSE_S):
                    await self._sink.close()

    def _receive(self, message: Destination | SideFile | Frame) -> None:
        if isinstance(message, SideFile):
            self._side_files[message.path] = message
        elif isinstance(message, Frame) and (dropped := self._backlog.add(message)):
            self._is_overfull = True
            self._counts.drop(_SINK, dropped)
        self._changed.set()

    async def _write(self) -> None:
        await self._clean()
        while await self._is_due():
            frames = self._backlog.take(self._chunk_bytes)
            try:
                files = await asyncio.to_thread(_files_of, frames, self._new_name)
            except Exception as error:  # a block that does not fit must not end the log
                _LOG.error("blocks of %s cannot be encoded", self._destination.game, exc_info=error)
                self._counts.drop(_BROKEN, self._backlog.aside.records)
            else:
                del frames
                await self._deliver(deque(files))
            self._backlog.aside = Load()

    async def _clean(self) -> None:
        try:
            if removed := await self._sink.clean():
                _LOG.info("removed %d unfinished files of writers that were killed", removed)
        except SinkFailed as failure:
            self._fail(failure)

    @property
    def _chunk_bytes(self) -> int:
        """Frames of this size are written at once. The work needs about three times as much memory."""
        return max(1, self._destination.max_bytes // 4)

    async def _is_due(self) -> bool:
        """Waits until frames are due; returns False if none will follow.

        The supervisor has held the first record of a frame before, and the write takes time, too.
        """
        linger_s = self._destination.flush_s * 0.8
        while not self._ended.is_set():
            oldest_s = self._backlog.oldest_s
            left_s = None if oldest_s is None else oldest_s + linger_s - time.monotonic()
            if self._backlog.waiting_bytes >= self._chunk_bytes or (left_s is not None and left_s <= 0):
                return True
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
        return self._backlog.oldest_s is not None or bool(self._side_files)

    async def _deliver(self, files: deque[LogFile]) -> None:
        """Writes the side files that have arrived, and then `files`; gives the rest up if the memory is full."""
        self._set_aside(files)
        for side in list(self._side_files.values()):
            if not await self._put(LogFile(side.path, side.content), only_new=True):
                break
            del self._side_files[side.path]
        while files and not self._side_files and await self._put(files[0]):
            self._counts.write(files.popleft())
            self._set_aside(files)
        self._counts.drop(_SINK, sum(file.records for file in files))

    async def _put(self, file: LogFile, *, only_new: bool = False) -> bool:
        """Writes a file, with as many attempts as needed; returns False if newer frames need its memory."""
        while True:
            self._is_overfull = False
            try:
                await self._sink.put(file.path, file.content, only_new=only_new)
            except SinkFailed as failure:
                self._fail(failure)
            else:
                self._succeed()
                return True
            await self._pause()
            if self._is_overfull:
                return False

    async def _pause(self) -> None:
        """Waits before the next attempt: a shorter time when the log ends."""
        pause_s = self._back_off.next_s()
        if self._ended.is_set():
            await asyncio.sleep(min(pause_s, _LAST_PAUSE_S))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._ended.wait()

    def _fail(self, failure: SinkFailed) -> None:
        self._counts.failure = str(failure)
        now_s = time.monotonic()
        if self._warned_s is None or now_s - self._warned_s >= _WARN_EVERY_S:
            self._warned_s = now_s
            _LOG.warning("the decision log of %s cannot be written: %s", self._destination.game, failure)

    def _succeed(self) -> None:
        self._back_off.reset()
        if self._counts.failure is not None:
            _LOG.info("the decision log of %s is written again", self._destination.game)
        self._counts.failure = self._warned_s = None

    def _set_aside(self, files: Sequence[LogFile]) -> None:
        self._backlog.aside = Load(sum(file.records for file in files), sum(len(file.content) for file in files))


def _files_of(frames: Sequence[Frame], new_name: NewName) -> list[LogFile]:
    return log_files((frame.block() for frame in frames), new_name)
