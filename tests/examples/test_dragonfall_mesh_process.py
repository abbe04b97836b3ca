"""The demo's mesh is drained however the demo ends, and one that misbehaves is a clear sentence.

The mesh is played by short Python programs: real processes, real signals.
"""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_process import running_mesh

IMPORTS = "import json, os, signal, sys, time\n"
SAY_READY = "print(json.dumps({'event': 'ready', 'address': str(os.getpid())}), flush=True)\n"
ON_SIGTERM_EXIT = "signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))\n"
IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
FOR_EVER = "while True: time.sleep(60)\n"


def program(*lines: str) -> list[str]:
    return [sys.executable, "-c", IMPORTS + "".join(lines)]


GOOD = program(ON_SIGTERM_EXIT.format(code=0), SAY_READY, FOR_EVER)


def is_there(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_mesh_lives_as_long_as_the_block() -> None:
    async with running_mesh(GOOD) as address:
        assert is_there(address)
    assert not is_there(address)


async def test_a_mesh_is_drained_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="in the block"):
        async with running_mesh(GOOD) as address:
            raise ValueError("in the block")
    assert not is_there(address)


async def test_a_mesh_is_drained_when_the_demo_is_cancelled() -> None:
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
    assert not is_there(address)


async def test_a_mesh_that_ends_before_it_is_ready_is_told_with_its_exit_code() -> None:
    with pytest.raises(ExampleFailed, match="exit code 3 before it was ready"):
        async with running_mesh(program("sys.exit(3)")):
            pass


async def test_a_mesh_that_never_gets_ready_is_given_up() -> None:
    with pytest.raises(ExampleFailed, match="not ready after"):
        async with running_mesh(program(FOR_EVER), start_limit_s=0.2):
            pass


async def test_a_mesh_that_says_something_else_is_quoted() -> None:
    with pytest.raises(ExampleFailed, match="hello"):
        async with running_mesh(program("print('hello', flush=True)\n", FOR_EVER)):
            pass


async def test_a_drain_that_ends_badly_is_a_failure() -> None:
    with pytest.raises(ExampleFailed, match="exit code 1 instead of 0"):
        async with running_mesh(program(ON_SIGTERM_EXIT.format(code=1), SAY_READY, FOR_EVER)):
            pass


async def test_a_mesh_that_does_not_stop_is_killed() -> None:
    with pytest.raises(ExampleFailed, match="killed"):
        async with running_mesh(program(IGNORE_SIGTERM, SAY_READY, FOR_EVER), drain_limit_s=0.2) as address:
            pass
    assert not is_there(address)
