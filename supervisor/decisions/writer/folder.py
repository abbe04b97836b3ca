"""A sink that is a folder: a file gets its name when all its bytes are on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from supervisor.decisions.writer.sink import ATTEMPT_S, SinkFailed

# Below the root, so that the names of tables do not match it, and a writer finds all unfinished files in one folder.
UNFINISHED = ".unfinished"
ABANDONED_AFTER_S = 3600.0
_PIECE_BYTES = 256 * 2**10
_FIXES = {
    errno.ENOSPC: "delete old files or enlarge the volume",
    errno.EDQUOT: "delete old files or raise the quota",
    errno.EROFS: "mount the volume for writing",
    errno.EACCES: "let the user of the supervisor write there",
    errno.EPERM: "let the user of the supervisor write there",
    errno.ENOTDIR: "name a folder in `decisions.to`",
}


class FolderSink:
    """Files below `root`, which it creates."""

    def __init__(self, root: Path, attempt_s: float = ATTEMPT_S, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._attempt_s = attempt_s
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "sink")
        self._last: Future[int] | None = None

    async def put(self, path: str, content: bytes | memoryview, *, only_new: bool = False) -> None:
        """Writes a file: temporary name, fsync, rename."""
        await self._run(lambda: self._put(self._root / path, content, only_new))

    async def clean(self) -> int:
        """Removes unfinished files that are older than an hour: no writer needs that long."""
        return await self._run(self._clean)

    async def close(self) -> None:
        """Does not wait for a write that hangs."""
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], int]) -> int:
        """Runs `work` in the only thread, so that a disk that hangs blocks one thread and not the event loop."""
        if self._last is not None and not self._last.done():
            raise SinkFailed(f"{self._root}: an earlier write hangs; check the disk or the network volume")
        self._last = self._thread.submit(work)
        try:
            async with asyncio.timeout(self._attempt_s):
                return await asyncio.wrap_future(self._last)
        except TimeoutError:
            raise self._too_slow() from None
        except OSError as error:
            raise SinkFailed(_sentence(self._root, error)) from error

    def _put(self, target: Path, content: bytes | memoryview, only_new: bool) -> int:
        if only_new and target.exists():
            return 0
        unfinished = self._root / UNFINISHED / target.name
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._write(unfinished, content)
            unfinished.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):  # it would keep the space that a full disk lacks
                unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        return 1

    def _write(self, path: Path, content: bytes | memoryview) -> None:
        until_s = time.monotonic() + self._attempt_s
        with path.open("wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest[:_PIECE_BYTES]) :]
                if time.monotonic() > until_s:
                    raise self._too_slow()
            os.fsync(file.fileno())

    def _clean(self) -> int:
        oldest_s, removed = self._clock() - ABANDONED_AFTER_S, 0
        for path in (self._root / UNFINISHED).glob("*"):
            with contextlib.suppress(FileNotFoundError):  # another writer has removed it
                if path.stat().st_mtime < oldest_s:
                    path.unlink()
                    removed += 1
        return removed

    def _too_slow(self) -> SinkFailed:
        return SinkFailed(f"{self._root}: a write takes longer than {self._attempt_s:g} s; use a faster volume")


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(root: Path, error: OSError) -> str:
    place = error.filename or root
    fix = _FIXES.get(error.errno or 0, "check the volume")
    return f"{place}: {(error.strerror or str(error)).lower()}; {fix}"
