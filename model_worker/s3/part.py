"""The file of a model during its download: it has a separate name, and one process at a time writes it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 2**20


class PartFile:
    """The open and locked file of a transfer. The lock ends with the process, even if it is killed.

    The content stays when a process is killed, so that the next process continues from there.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def resume(self) -> None:
        """Reads the content that another process has left."""
        self._file.seek(0)
        while data := self._file.read(_CHUNK_BYTES):
            self._count(data)

    def restart(self) -> None:
        """Discards all content."""
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.size_bytes = hashlib.sha256(), 0

    def append(self, data: bytes) -> None:
        """Appends `data`; raises OSError if the disk rejects it."""
        rest = memoryview(data)
        while rest:  # a disk that is almost full accepts a part, and reports it by the returned number only
            rest = rest[self._file.write(rest) :]
        self._count(data)

    @property
    def sha256(self) -> str:
        """The digest of the content."""
        return self._digest.hexdigest()

    def rename_to(self, path: Path) -> None:
        """Writes the file to disk, then renames it to `path` atomically: the file there is always complete."""
        os.fsync(self._file.fileno())
        self._path.replace(path)

    def discard(self) -> None:
        """Removes the file."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlocks the file, and removes it if it is empty."""
        if not os.fstat(self._file.fileno()).st_size and _is_at(self._path, self._file):
            self.discard()
        self._file.close()

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self.size_bytes += len(data)


def try_lock(path: Path) -> PartFile | None:
    """Returns the locked part file at `path`, a new one if there is none; None while another process writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not _is_at(path, file):  # its writer has renamed it since we opened it: it is complete, not a part file
            return None
        stack.pop_all()
        return PartFile(path, file)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
