"""Starts and ends real worker processes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from model_worker.identity import Engine

START_S = 60


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker process that has printed its ready line."""

    process: asyncio.subprocess.Process
    port: int
    metrics_port: int
    engine: Engine

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def stop(self) -> tuple[int, str]:
        """Sends SIGTERM; returns the exit code and the stderr of the worker."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = await asyncio.wait_for(self.process.communicate(), START_S)
        assert self.process.returncode is not None
        return self.process.returncode, stderr.decode()


@dataclass(frozen=True, slots=True)
class EndedWorker:
    """The exit code and output of a worker that ended before it served."""

    code: int
    stdout: str
    stderr: str


@asynccontextmanager
async def worker_process(model: Path | str, *arguments: str, name: str = "forest") -> AsyncIterator[RunningWorker]:
    """Runs a worker that serves `model` while the block lasts, then stops it; asserts that it exits with 0."""
    outcome = await start(model, *arguments, name=name)
    assert isinstance(outcome, RunningWorker), outcome
    try:
        yield outcome
    finally:
        if outcome.process.returncode is None:
            code, stderr = await outcome.stop()
            assert code == 0, stderr


async def start(
    model: Path | str, *arguments: str, name: str = "forest", code: Path | None = None
) -> RunningWorker | EndedWorker:
    """Starts a worker from the code in the folder `code` (None: this code); waits until it serves or has ended."""
    process = await run("--name", name, "--uri", str(model), *arguments, code=code)
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), START_S)
    if not line:
        return await ended(process)
    ready = json.loads(line)
    assert (ready["event"], ready["name"]) == ("ready", name)
    return RunningWorker(process, ready["port"], ready["metrics_port"], Engine(ready["engine"], ready["engine_reason"]))


async def run(*arguments: str, code: Path | None = None) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "model_worker", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=code)


async def ended(process: asyncio.subprocess.Process) -> EndedWorker:
    stdout, stderr = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode is not None
    return EndedWorker(process.returncode, stdout.decode(), stderr.decode())
