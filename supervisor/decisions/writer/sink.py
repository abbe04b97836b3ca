"""The port to the place where the files of the log are kept: a folder, or a bucket of S3."""

from __future__ import annotations

from typing import Protocol

ATTEMPT_S = 60.0


class SinkFailed(Exception):
    """A file could not be written; the text is a sentence with the fix. A later attempt may succeed."""


class Sink(Protocol):
    """Keeps files by their path below the root of the log. Readers see a file when it is complete, or not at all."""

    async def put(self, path: str, content: bytes | memoryview, *, only_new: bool = False) -> None:
        """Writes a file in bounded time; `only_new` keeps a file that exists already.

        Raises SinkFailed; then the file does not exist, or it is complete.
        """
        ...

    async def clean(self) -> int:
        """Removes what writers that were killed have left; returns the number of files. Raises SinkFailed."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...
