"""A child process that is started again whenever it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mesh.catalog.catalog_file import FileIdentity, identity_of
from mesh.cli.up.restarts import Exit, RestartPolicy
from mesh.first_of import first_of
from mesh.process import Event, Launch, Process, ProcessFailed, running

Command = Callable[[Event | None], Sequence[str]]
State = Literal["starting", "ready", "refused", "down"]
CANNOT_START = 126  # the exit code that a shell uses

POLL_S = 0.2
_LINES_KEPT = 10
_LOG_TAIL_BYTES = 16_384


class Watcher(Protocol):
    """Port of `Child`: receives the events of child processes."""

    def child_is_ready(self, child: Child) -> None:
        """The child serves; `child.ready` contains its addresses."""
        ...

    def child_has_ended(self, child: Child, end: Exit, pause_s: float | None) -> None:
        """The child ended by itself; it starts again after `pause_s`, or (None) when its file changes."""
        ...


class Child:
    """One process, kept running until `end`, `kill` or `stay_down` is called.

    `command` returns the command line. Its argument is the last ready event of the process, or None, so that a restart
    can use the same port. The stderr of the process is appended to `log`. A program that refuses `file` starts again
    when this file changes.
    """

    def __init__(self, name: str, command: Command, log: Path, watcher: Watcher, file: Path | None = None) -> None:
        self.name = name
        self.log = log
        self.state: State = "starting"
        self.ready: Event | None = None
        self.file_identity: FileIdentity | None = None  # of `file`, at the latest start
        self._file = file
        self._command = command
        self._watcher = watcher
        self._process: Process | None = None
        self._last_ready: Event | None = None
        self._ending = asyncio.Event()
        self._again = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the process; None while it does not run."""
        return self._process.pid if self._process else None

    async def keep_running(self) -> None:
        """Runs the process again and again; returns when it has ended after `end`, `kill` or `stay_down`."""
        policy = RestartPolicy()
        while not self._ending.is_set():
            self.state = "starting"
            end = await self._run_once()
            self.state = "refused" if end.refused else "down"
            if not self._ending.is_set():
                pause_s, policy = policy.after(end)
                until_change = end.lasts and self._file is not None
                self._again.clear()
                self._watcher.child_has_ended(self, end, None if until_change else pause_s)
                await first_of(
                    self._ending.wait(),
                    self._again.wait(),
                    self._file_change() if until_change else asyncio.sleep(pause_s),
                )

    def try_again(self) -> None:
        """Ends the pause before the next start."""
        self._again.set()

    def stay_down(self) -> None:
        """Stops the restarts: when the process ends, it is not started again."""
        self._ending.set()

    def end(self) -> None:
        """Sends SIGTERM: the process drains, ends and is not started again."""
        self.stay_down()
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process at once; it is not started again."""
        self.stay_down()
        if self._process:
            self._process.kill_group()

    async def _run_once(self) -> Exit:
        started_s, log_start = time.monotonic(), _size_bytes(self.log)
        self.file_identity = self._identity()
        try:
            # In one session, so that the niceness of the workers counts against the supervisor.
            launch = Launch(self.name, self._command(self._last_ready), log=self.log, new_session=False)
            async with running(launch, drain_s=0) as self._process:
                code = await self._attend(self._process)
        except OSError as error:
            return Exit(CANNOT_START, 0.0, was_ready=False, last_lines=(str(error),))
        finally:
            was_ready, self.ready, self._process = self.ready is not None, None, None
        return Exit(code, time.monotonic() - started_s, was_ready, _last_lines(self.log, log_start))

    async def _attend(self, process: Process) -> int:
        if self._ending.is_set():  # `end` was called during the start
            process.terminate()
        listening = asyncio.create_task(self._listen(process))
        try:
            return await process.ended()
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, process: Process) -> None:
        try:
            self.ready = self._last_ready = await process.event("ready")
        except ProcessFailed:
            return  # `_attend` returns the exit code
        self.state = "ready"
        self._watcher.child_is_ready(self)
        await process.drop_output()

    async def _file_change(self) -> None:
        while self._identity() == self.file_identity:  # noqa: ASYNC110 (a file has no event)
            await asyncio.sleep(POLL_S)

    def _identity(self) -> FileIdentity | None:
        return identity_of(self._file) if self._file else None


def _size_bytes(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _last_lines(log: Path, start: int) -> tuple[str, ...]:
    """Returns the last lines of `log` that were written after position `start`."""
    with log.open("rb") as file:
        file.seek(max(start, _size_bytes(log) - _LOG_TAIL_BYTES))
        return tuple(file.read().decode(errors="replace").splitlines()[-_LINES_KEPT:])
