"""The processes of a load test: started by exec, heard by lines of JSON, ended by their ids in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.faults import CannotMeasure

STOP_BUDGET_S = 15.0
LINE_LIMIT_BYTES = 64 * 2**20  # a generator's last line carries every latency
LOG_TAIL_LINES = 12

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started; its stderr goes to `log`."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited_fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A running program."""

    launch: Launch
    process: asyncio.subprocess.Process

    async def event(self, name: str, budget_s: float) -> Event:
        """The next line of its stdout that is an event called `name`, other lines passed over.

        Raises CannotMeasure, with the end of its log, when it ends or `budget_s` pass before.
        """
        try:
            async with asyncio.timeout(budget_s):
                return await self._event(name)
        except TimeoutError:
            raise CannotMeasure(self._complaint(f"said no {name!r} within {budget_s:g} s")) from None

    def must_run(self) -> None:
        """Raises CannotMeasure, with the end of its log, when it has ended."""
        if self.process.returncode is not None:
            raise CannotMeasure(self._complaint(f"ended with exit code {self.process.returncode}"))

    async def _event(self, name: str) -> Event:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("event") == name:
                    return event
        code = await self.process.wait()
        raise CannotMeasure(self._complaint(f"ended with exit code {code} before it said {name!r}"))

    def _complaint(self, what: str) -> str:
        lines = self.launch.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n  ".join([f"{self.launch.name} {what}; its log, {self.launch.log}, ends:", *lines])


@contextlib.asynccontextmanager
async def running(launch: Launch) -> AsyncIterator[Program]:
    """Runs a program for as long as the block lasts; neither it nor its children are left behind.

    It leads a process group of its own, so Ctrl-C reaches it only through this block's end.
    """
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    with launch.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *launch.command,
            cwd=launch.folder,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            limit=LINE_LIMIT_BYTES,
            pass_fds=launch.inherited_fds,
            start_new_session=True,
        )
    try:
        yield Program(launch, process)
    finally:
        await _end(process)


async def run_to_end(launch: Launch, budget_s: float) -> None:
    """Runs a program that ends by itself; raises CannotMeasure when it fails or `budget_s` pass."""
    async with running(launch) as program:
        try:
            async with asyncio.timeout(budget_s):
                output, _ = await program.process.communicate()
        except TimeoutError:
            raise CannotMeasure(f"{launch.name} did not end within {budget_s:g} s") from None
        if program.process.returncode != 0:
            said = output.decode(errors="replace") + launch.log.read_text(errors="replace")
            raise CannotMeasure(f"{launch.name} ended with {program.process.returncode}:\n{said.strip()}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # Not its own `terminate`: that looks whether it has ended, which takes the exit code away from asyncio.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_BUDGET_S):
            await _drained(process)
    except TimeoutError:
        pass
    finally:
        # What is still in its group by now, the program itself or a child of it, is not asked again.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _drained(process: asyncio.subprocess.Process) -> None:
    """Reads on while the program stops, or a full pipe would hold it up."""
    assert process.stdout is not None
    while await process.stdout.read(2**16):
        pass
    await process.wait()
