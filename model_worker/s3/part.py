"""A model's file until it is whole: under a name of its own, and written by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 2**20


class Part:
    """The open file of a transfer, locked; the lock ends with the process, however that ends.

    What a process that was killed has written stays, so that the next one goes on from there.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def resume(self) -> None:
        """Takes in what another process has left."""
        self._file.seek(0)
        while data := self._file.read(_CHUNK_BYTES):
            self._count(data)

    def restart(self) -> None:
        """Forgets everything that was written."""
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.size_bytes = hashlib.sha256(), 0

    def append(self, data: bytes) -> None:
        """Writes `data` behind what is there; raises OSError when the disk does not take it."""
        left = memoryview(data)
        while left:  # a disk that is almost full takes a part of it, and says so only by the number
            left = left[self._file.write(left) :]
        self._count(data)

    @property
    def sha256(self) -> str:
        """The digest of what is there."""
        return self._digest.hexdigest()

    def keep_as(self, path: Path) -> None:
        """Puts the file at `path`, on disk and whole, at once: nobody ever sees half of it there."""
        os.fsync(self._file.fileno())
        self._path.replace(path)

    def discard(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets others have it; an empty one is not left."""
        if not os.fstat(self._file.fileno()).st_size and _is_at(self._path, self._file):
            self.discard()
        self._file.close()

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self.size_bytes += len(data)


def try_take(path: Path) -> Part | None:
    """The part at `path`, empty if it was not there; None while another process writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not _is_at(path, file):  # its writer has renamed it since we opened it: it is whole, and no part
            return None
        stack.pop_all()
        return Part(path, file)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
