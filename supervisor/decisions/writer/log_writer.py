"""The loop of the writer process: gathers frames, makes files of them, and delivers the files to the sink."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mesh.back_off import BackOff
from mesh.decisions.block import SideFile
from supervisor.decisions.writer.backlog import Backlog, Frame, Load
from supervisor.decisions.writer.parquet import LogFile, NewName, log_files
from supervisor.decisions.writer.sink import Sink, SinkFailed
from supervisor.decisions.writer.status import Status

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_WARNINGS = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When the writer writes, how much it holds (at most `max_bytes` of frames), and how long it takes to stop."""

    flush_s: float
    max_bytes: int
    stop_s: float

    @property
    def chunk_bytes(self) -> int:
        """Frames of this size are enough for a file. Its making needs about three times as much memory."""
        return max(1, self.max_bytes // 4)


class LogWriter:
    """Writes the frames of one channel until it ends."""

    def __init__(self, sink: Sink, limits: Limits, back_off: BackOff, new_name: NewName) -> None:
        self.status = Status()
        self._sink = sink
        self._limits = limits
        self._back_off = back_off
        self._new_name = new_name
        self._backlog = Backlog(limits.max_bytes, time.monotonic)
        self._side_files: dict[str, SideFile] = {}
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_overfull = False  # frames were dropped since the last attempt to write
        self._warned_s: float | None = None

    async def run(self, frames: AsyncIterator[Frame | SideFile]) -> None:
        """Writes until `frames` ends, and then the rest, within `stop_s`."""
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write())
            async for frame in frames:
                self._receive(frame)
            self._ended.set()
            self._changed.set()
            await asyncio.wait((writing,), timeout=self._limits.stop_s)
            writing.cancel()
        self._drop("stopped", self._backlog.held.records)

    def _receive(self, frame: Frame | SideFile) -> None:
        if isinstance(frame, SideFile):
            self._side_files[frame.path] = frame
            return
        if dropped := self._backlog.add(frame):
            self._is_overfull = True
            self._drop("sink", dropped)
        self._changed.set()
        self._count_held()

    async def _write(self) -> None:
        while await self._is_due():
            frames = self._backlog.take(self._limits.chunk_bytes)
            files, broken = await asyncio.to_thread(_encode, frames, self._new_name)
            self._drop("broken", broken)
            await self._deliver(deque(files))

    async def _is_due(self) -> bool:
        """Waits until a file is due; returns False if no frame will follow."""
        while not self._ended.is_set():
            oldest_s = self._backlog.oldest_s
            left_s = None if oldest_s is None else oldest_s + self._limits.flush_s - time.monotonic()
            if self._backlog.waiting_bytes >= self._limits.chunk_bytes or (left_s is not None and left_s <= 0):
                return True
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
        return self._backlog.oldest_s is not None or bool(self._side_files)

    async def _deliver(self, files: deque[LogFile]) -> None:
        """Writes the side files that have arrived, and then `files`; drops the rest if the memory is full."""
        for side in list(self._side_files.values()):
            if not await self._put(LogFile(side.path, side.content), only_new=True):
                break
            del self._side_files[side.path]
        while files:
            self._set_aside(files)
            if self._side_files or not await self._put(files[0], only_new=False):
                break
            done = files.popleft()
            self.status.written += done.records
            self.status.files += 1
            self.status.written_bytes += len(done.content)
        self._drop("sink", sum(file.records for file in files))
        self._set_aside(())
