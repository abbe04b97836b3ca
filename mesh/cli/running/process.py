"""One run of a program: started by exec, it says in one line of JSON that it is ready, and ends once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Ready = Mapping[str, Any]
_LINE_LIMIT_BYTES = 2**20


class Process:
    """A running program in a process group of its own, so that the terminal's Ctrl-C reaches only us."""

    def __init__(self, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader) -> None:
        self._process = process
        self._stdout = stdout

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    async def ready(self) -> Ready | None:
        """The ready event of the program; None if its output ends without one."""
        async for line in self._stdout:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == "ready":
                    return event
        return None

    async def drop_output(self) -> None:
        """Reads on, since a program whose output nobody reads stops."""
        while await self._stdout.read(_LINE_LIMIT_BYTES):
            pass

    async def ended(self) -> int:
        """The exit code, when there is one; minus the signal's number if a signal ended it."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Asks the program to drain and end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill_group(self) -> None:
        """Ends the program and all that it has started, at once."""
        # macOS says so of a group that has only just ended
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def started(argv: Sequence[str], log: Path) -> AsyncIterator[Process]:
    """Starts `argv`; its stderr is appended to `log`. Nothing of it is left when the block ends.

    Raises OSError if it cannot be started.
    """
    stdout, to_stdout = os.pipe()
    async with _reading(stdout) as reader:
        try:
            process = await _execute(argv, to_stdout, log)
        finally:
            os.close(to_stdout)
        running = Process(process, reader)
        try:
            yield running
        finally:
            running.kill_group()
            await process.wait()


async def _execute(argv: Sequence[str], stdout: int, log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as stderr:
        return await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=stdout, stderr=stderr, process_group=0)


@contextlib.asynccontextmanager
async def _reading(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    """A reader of `descriptor`. Ours and not asyncio's own: that one waits for grandchildren that hold it."""
    reader = asyncio.StreamReader(limit=_LINE_LIMIT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()
