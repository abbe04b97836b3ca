"""Runs `mesh up` as a child process during a block, and drains it at the end."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from examples.dragonfall.failure import ExampleFailed
from mesh.process import Launch, Process, ProcessFailed, running

START_LIMIT_S = 60.0
DRAIN_LIMIT_S = 30.0


def mesh_up(catalog: Path) -> list[str]:
    """Returns the command that starts the mesh of `catalog` on ports that the system picks."""
    ports = ["--port", "0", "--metrics-port", "0"]
    return [sys.executable, "-m", "mesh.cli.main", "up", str(catalog), *ports, "--json"]


@contextlib.asynccontextmanager
async def running_mesh(
    command: Sequence[str], start_limit_s: float = START_LIMIT_S, drain_limit_s: float = DRAIN_LIMIT_S
) -> AsyncIterator[str]:
    """Starts `command`, yields its gRPC address when it is ready, and drains it with SIGTERM at the end of the block.

    Raises ExampleFailed when the mesh does not become ready, does not stop, or stops with an exit code other than 0.
    Cancelling the block drains the mesh, too.
    """
    async with running(Launch("the mesh", command), drain_limit_s) as mesh:
        yield await _address(mesh, start_limit_s)
    if mesh.exit_code == -signal.SIGKILL:
        raise ExampleFailed(f"the mesh did not stop within {drain_limit_s:g} s after SIGTERM and was killed")
    if mesh.exit_code != 0:
        raise ExampleFailed(f"the mesh ended with exit code {mesh.exit_code} instead of 0; see its messages above")


async def _address(mesh: Process, within_s: float) -> str:
    try:
        ready = await mesh.event("ready", within_s)
    except ProcessFailed as failure:
        if mesh.exit_code is None:
            raise ExampleFailed(f"the mesh was not ready after {within_s:g} s") from None
        code = mesh.exit_code
        raise ExampleFailed(
            f"the mesh ended with exit code {code} before it was ready; see its messages above"
        ) from failure
    return str(ready["address"])
