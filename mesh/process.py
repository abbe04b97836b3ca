"""Child processes: each runs in its own process group, reports events on stdout, and ends in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.errors import MeshError

DRAIN_S = 15.0
LINE_LIMIT_BYTES = 64 * 2**20  # the last line of a load generator contains every latency
LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 2**16

Event = Mapping[str, Any]
# Runs a program in a process group of its own, in the session of its parent.
_IN_OWN_GROUP = "import os, sys; os.setpgid(0, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class ProcessFailed(MeshError):
    """A child process ended early or did not respond in time; the reason includes the end of its log."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a program. Its stderr is appended to `log`; if `log` is None, it uses the stderr of this process."""

    name: str
    command: Sequence[str]
    folder: Path | None = None
    log: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited_fds: tuple[int, ...] = ()
    # Linux gives each session its share of the CPUs (autogroup in sched(7)): nice values count only within a session.
    new_session: bool = True


class Process:
    """A running program. Ctrl-C in the terminal does not reach it, because it runs in its own process group."""

    def __init__(
        self, launch: Launch, process: asyncio.subprocess.Process, stdout: asyncio.StreamReader, log_start: int
    ) -> None:
        self.launch = launch
        self._log_start = log_start
        self._process = process
        self._stdout = stdout

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; the negative signal number if a signal ended it."""
        return self._process.returncode

    async def event(self, name: str, within_s: float | None = None) -> Event:
        """Returns the next JSON object on stdout whose "event" is `name`; skips all other lines.

        Raises ProcessFailed when the output ends first, or after `within_s` (None: no limit).
        """
        try:
            async with asyncio.timeout(within_s):
                return await self._event(name)
        except TimeoutError:
            raise ProcessFailed(self._with_log(f"printed no {name!r} event within {within_s:g} s")) from None

    def must_run(self) -> None:
        """Raises ProcessFailed when the process has ended."""
        if self.exit_code is not None:
            raise ProcessFailed(self._with_log(f"ended with exit code {self.exit_code}"))

    async def read_rest(self) -> bytes:
        """Returns the output up to its end."""
        return await self._stdout.read()

    async def drop_output(self) -> None:
        """Reads and discards the output up to its end, because a full pipe blocks the program."""
        while await self._stdout.read(2**16):
            pass

    async def ended(self) -> int:
        """Waits for the end and returns the exit code: the negative signal number if a signal ended the process."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Sends SIGTERM, so that the program drains and ends."""
        if self.exit_code is None:
            # Process.terminate() polls the process, and asyncio would then not receive the exit code.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Sends SIGKILL to the process and to every process that it started."""
        if self.exit_code is None:  # it may not be in its own group yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        # macOS raises PermissionError for a group that has just ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _event(self, name: str) -> Event:
        while line := await self._stdout.readline():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == name:
                    return event
        code = await self.ended()
        raise ProcessFailed(self._with_log(f"ended with exit code {code} before it printed a {name!r} event"))

    def log_text(self) -> str:
        """Returns the end of the text that this run wrote to its log; empty without a log."""
        if self.launch.log is None:
            return ""
        with self.launch.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, end - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")

    def _with_log(self, failure: str) -> str:
        if self.launch.log is None:
            return f"{self.launch.name} {failure}"
        lines = self.log_text().splitlines()[-LOG_TAIL_LINES:]
        return "\n  ".join([f"{self.launch.name} {failure}; end of its log {self.launch.log}:", *lines])


@contextlib.asynccontextmanager
async def running(launch: Launch, drain_s: float = DRAIN_S) -> AsyncIterator[Process]:
    """Runs a program while the block lasts, then sends SIGTERM and, after `drain_s`, SIGKILL to its group.

    All processes of the group have ended after the block. If `drain_s` is 0, the group is killed at once. Raises
    OSError when the program cannot be started.
    """
    log_start = launch.log.stat().st_size if launch.log and launch.log.exists() else 0
    stdout, stdout_of_child = os.pipe()
    async with _reading(stdout) as reader:
        try:
            child = await _execute(launch, stdout_of_child)
        finally:
            os.close(stdout_of_child)
        process = Process(launch, child, reader, log_start)
        try:
            yield process
        finally:
            await _end(process, drain_s)


async def run_to_end(launch: Launch, within_s: float) -> None:
    """Runs a program until it ends by itself; raises ProcessFailed when it fails or takes longer than `within_s`."""
    async with running(launch) as process:
        try:
            async with asyncio.timeout(within_s):
                output = await process.read_rest()
                code = await process.ended()
        except TimeoutError:
            raise ProcessFailed(f"{launch.name} did not end within {within_s:g} s") from None
        if code != 0:
            text = output.decode(errors="replace") + process.log_text()
            raise ProcessFailed(f"{launch.name} ended with exit code {code}:\n{text.strip()}")


async def _execute(launch: Launch, stdout: int) -> asyncio.subprocess.Process:
    with contextlib.ExitStack() as stack:
        stderr = None
        if launch.log is not None:
            launch.log.parent.mkdir(parents=True, exist_ok=True)
            stderr = stack.enter_context(launch.log.open("ab"))
        command, group = launch.command, dict[str, Any]()
        if launch.new_session:
            group = {"start_new_session": True}
        elif type(asyncio.get_running_loop()).__module__.startswith("uvloop"):  # it rejects the keyword process_group
            command = [sys.executable, "-I", "-S", "-c", _IN_OWN_GROUP, *command]
        else:
            group = {"process_group": 0}
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=launch.folder,
            env={**os.environ, **launch.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=launch.inherited_fds,
            **group,
        )


@contextlib.asynccontextmanager
async def _reading(descriptor: int) -> AsyncIterator[asyncio.StreamReader]:
    """Yields a reader of `descriptor`. A pipe made by asyncio would also wait for grandchildren that keep it open."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()


async def _end(process: Process, drain_s: float) -> None:
    try:
        if drain_s > 0:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    await asyncio.gather(process.drop_output(), process.ended())
    finally:
        process.kill_group()
    await process.ended()
