"""The demo always drains its mesh and reports a mesh that fails.

Short Python programs stand in for the mesh: real processes, real signals.
"""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_process import running_mesh

IMPORTS = "import json, os, signal, sys, time\n"
PRINT_READY = "print(json.dumps({'event': 'ready', 'address': str(os.getpid())}), flush=True)\n"
ON_SIGTERM_EXIT = "signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))\n"
IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAIT = "while True: time.sleep(60)\n"


def program(*lines: str) -> list[str]:
    return [sys.executable, "-c", IMPORTS + "".join(lines)]


GOOD = program(ON_SIGTERM_EXIT.format(code=0), PRINT_READY, WAIT)


def is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def test_mesh_runs_during_the_block() -> None:
    async with running_mesh(GOOD) as address:
        assert is_running(address)
    assert not is_running(address)


async def test_mesh_is_drained_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="in the block"):
        async with running_mesh(GOOD) as address:
            raise ValueError("in the block")
    assert not is_running(address)


async def test_mesh_is_drained_when_the_demo_is_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def demo() -> None:
        async with running_mesh(GOOD) as address:
            ready.set_result(address)
            await asyncio.Event().wait()

    task = asyncio.create_task(demo())
    address = await ready
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(address)


async def test_end_before_ready_is_reported_with_the_exit_code() -> None:
    with pytest.raises(ExampleFailed, match="exit code 3 before it was ready"):
        async with running_mesh(program("sys.exit(3)")):
            pass


async def test_mesh_that_never_becomes_ready_is_reported() -> None:
    with pytest.raises(ExampleFailed, match="not ready after"):
        async with running_mesh(program(WAIT), start_limit_s=0.2):
            pass


async def test_lines_before_the_ready_line_are_skipped() -> None:
    lines = "print('hello', flush=True)\n", "print(json.dumps({'event': 'loading'}), flush=True)\n"
    async with running_mesh(program(ON_SIGTERM_EXIT.format(code=0), *lines, PRINT_READY, WAIT)) as address:
        assert is_running(address)


async def test_mesh_that_prints_no_ready_line_is_reported() -> None:
    with pytest.raises(ExampleFailed, match="not ready after"):
        async with running_mesh(program("print('hello', flush=True)\n", WAIT), start_limit_s=0.2):
            pass


async def test_exit_code_other_than_zero_after_the_drain_is_reported() -> None:
    with pytest.raises(ExampleFailed, match="exit code 1 instead of 0"):
        async with running_mesh(program(ON_SIGTERM_EXIT.format(code=1), PRINT_READY, WAIT)):
            pass


async def test_mesh_that_does_not_stop_is_killed() -> None:
    with pytest.raises(ExampleFailed, match="killed"):
        async with running_mesh(program(IGNORE_SIGTERM, PRINT_READY, WAIT), drain_limit_s=0.2) as address:
            pass
    assert not is_running(address)
