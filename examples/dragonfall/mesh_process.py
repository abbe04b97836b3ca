"""A mesh for as long as a block lasts: `mesh up` as a process of its own, drained at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from examples.dragonfall.failure import ExampleFailed

START_LIMIT_S = 60.0
DRAIN_LIMIT_S = 30.0


def mesh_up(catalog: Path) -> list[str]:
    """The command that starts the mesh of `catalog` on ports that the system picks."""
    ports = ["--port", "0", "--metrics-port", "0"]
    return [sys.executable, "-m", "mesh.cli.main", "up", str(catalog), *ports, "--json"]


@contextlib.asynccontextmanager
async def running_mesh(
    command: Sequence[str], start_limit_s: float = START_LIMIT_S, drain_limit_s: float = DRAIN_LIMIT_S
) -> AsyncIterator[str]:
    """Starts `command`, yields its gRPC address once it is ready, and drains it with SIGTERM.

    Raises ExampleFailed when it does not become ready, does not stop, or stops with an exit code
    other than 0. Cancelling drains too.
    """
    # In a session of its own, because Ctrl-C in the terminal is for us: we drain it then.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        yield await _address(process, start_limit_s)
    finally:
        exit_code = await _drain(process, drain_limit_s)
    if exit_code != 0:
        raise ExampleFailed(f"the mesh ended with exit code {exit_code} instead of 0, see above")


async def _address(process: asyncio.subprocess.Process, limit_s: float) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(limit_s):
            line = await process.stdout.readline()
            if not line:
                code = await process.wait()
                raise ExampleFailed(f"the mesh ended with exit code {code} before it was ready, see above")
    except TimeoutError:
        raise ExampleFailed(f"the mesh was not ready after {limit_s:.0f} s") from None
    return _read_ready(line)


def _read_ready(line: bytes) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        event = json.loads(line)
        if event["event"] == "ready":
            return str(event["address"])
    raise ExampleFailed(f"the mesh said {line!r} where its ready line was due")


async def _drain(process: asyncio.subprocess.Process, limit_s: float) -> int | None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(limit_s):
            await process.communicate()
    except TimeoutError:
        raise ExampleFailed(f"the mesh was still there {limit_s:.0f} s after SIGTERM: killed") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode
