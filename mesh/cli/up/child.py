"""A process that is kept running: started, watched, and started again when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mesh.cli.up.restarts import Ended, Restarts
from mesh.process import Event, Launch, Process, ProcessFailed, running

Command = Callable[[Event | None], Sequence[str]]
State = Literal["starting", "ready", "refused", "down"]
CANNOT_START = 126  # as a shell says it

_LINES_KEPT = 10
_LOG_TAIL_BYTES = 16_384


class Watcher(Protocol):
    """Who wants to know what becomes of a child."""

    def child_is_ready(self, child: Child) -> None:
        """It serves; `child.ready` says where."""
        ...

    def child_has_ended(self, child: Child, ended: Ended, pause_s: float) -> None:
        """It ended by itself and is started again after `pause_s`."""
        ...


class Child:
    """One process that is kept running until it is told to end.

    `command` gives the words to execute, from the last ready event that the process has had, if any: so it
    can come back on the same port. `log` takes its stderr.
    """

    def __init__(self, name: str, command: Command, log: Path, watcher: Watcher) -> None:
        self.name = name
        self.log = log
        self.state: State = "starting"
        self.ready: Event | None = None
        self._command = command
        self._watcher = watcher
        self._process: Process | None = None
        self._last_ready: Event | None = None
        self._ending = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self._process.pid if self._process else None

    async def keep_running(self) -> None:
        """Runs the process again and again; returns when it has ended after `end` or `kill`."""
        restarts = Restarts()
        while not self._ending.is_set():
            self.state = "starting"
            ended = await self._run_once()
            self.state = "refused" if ended.refused else "down"
            if not self._ending.is_set():
                pause_s, restarts = restarts.after(ended)
                self._watcher.child_has_ended(self, ended, pause_s)
                await self._pause(pause_s)

    def stay_down(self) -> None:
        """From now on the process is not started again."""
        self._ending.set()

    def end(self) -> None:
        """Asks the process to drain and end, for good."""
        self.stay_down()
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process at once, for good."""
        self.stay_down()
        if self._process:
            self._process.kill_group()

    async def _run_once(self) -> Ended:
        started_s, log_start = time.monotonic(), _size_bytes(self.log)
        try:
            launch = Launch(self.name, self._command(self._last_ready), log=self.log)
            async with running(launch, drain_s=0) as self._process:
                code = await self._attend(self._process)
        except OSError as error:
            return Ended(CANNOT_START, 0.0, was_ready=False, last_lines=(str(error),))
        finally:
            was_ready, self.ready, self._process = self.ready is not None, None, None
        return Ended(code, time.monotonic() - started_s, was_ready, _last_lines(self.log, log_start))

    async def _attend(self, process: Process) -> int:
        if self._ending.is_set():  # it was told to end while it was being started
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
            return  # `ended` reports it
        self.state = "ready"
        self._watcher.child_is_ready(self)
        await process.drop_output()

    async def _pause(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), pause_s)
        except TimeoutError:
            return


def _size_bytes(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _last_lines(log: Path, start: int) -> tuple[str, ...]:
    """The last lines that were written to `log` after `start`."""
    with log.open("rb") as file:
        file.seek(max(start, _size_bytes(log) - _LOG_TAIL_BYTES))
        return tuple(file.read().decode(errors="replace").splitlines()[-_LINES_KEPT:])
