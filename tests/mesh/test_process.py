from __future__ import annotations

import asyncio
import os
import select
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mesh import serving
from mesh.process import Launch, ProcessFailed, run_to_end, running

PARENT_OF_A_CHILD_THAT_IGNORES_SIGTERM = """
import json, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring SIGTERM", flush=True)
time.sleep(600)
'''], stdout=subprocess.PIPE)
child.stdout.readline()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("not an event", flush=True)
print(json.dumps({"event": "ready", "child": child.pid}), flush=True)
signal.pause()
"""


def _python(program: str, folder: Path) -> Launch:
    return Launch("program", [sys.executable, "-c", program], folder, folder / "log")


async def test_program_and_its_children_have_ended_after_the_block(tmp_path: Path) -> None:
    async with running(_python(PARENT_OF_A_CHILD_THAT_IGNORES_SIGTERM, tmp_path)) as program:
        child = os.pidfd_open((await program.event("ready", 30.0))["child"])
    assert program.exit_code == 0
    assert _has_ended(child)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_program_in_the_session_of_its_parent_has_a_group_of_its_own_and_ends_with_it(
    tmp_path: Path, loop: Literal["asyncio", "uvloop"]
) -> None:
    async def measure() -> int:
        launch = replace(_python(PARENT_OF_A_CHILD_THAT_IGNORES_SIGTERM, tmp_path), new_session=False)
        async with running(launch) as program:
            child = os.pidfd_open((await program.event("ready", 30.0))["child"])
            assert (os.getpgid(program.pid), os.getsid(program.pid)) == (program.pid, os.getsid(0))
        assert _has_ended(child)
        return 0

    assert serving.run(measure(), loop) == 0


async def test_cancelled_block_leaves_no_process_running(tmp_path: Path) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def measure() -> None:
        async with running(_python(PARENT_OF_A_CHILD_THAT_IGNORES_SIGTERM, tmp_path)) as program:
            started.set_result(os.pidfd_open((await program.event("ready", 30.0))["child"]))
            await asyncio.Event().wait()

    measurement = asyncio.create_task(measure())
    child = await started
    measurement.cancel()
    with pytest.raises(asyncio.CancelledError):
        await measurement
    assert _has_ended(child)


async def test_early_end_is_reported_with_the_end_of_the_log(tmp_path: Path) -> None:
    async with running(_python("import sys; sys.exit('no such model')", tmp_path)) as program:
        with pytest.raises(ProcessFailed, match=r"(?s)exit code 1 before it printed a 'ready'.*no such model"):
            await program.event("ready", 30.0)


async def test_wait_for_an_event_of_a_silent_program_has_a_limit(tmp_path: Path) -> None:
    async with running(_python("import time; time.sleep(600)", tmp_path)) as program:
        with pytest.raises(ProcessFailed, match=r"printed no 'ready' event within 0\.05 s"):
            await program.event("ready", 0.05)


async def test_must_run_reports_a_program_that_has_ended(tmp_path: Path) -> None:
    async with running(_python("import sys; sys.exit('no module named flask')", tmp_path)) as program:
        program.must_run()
        await program.ended()
        with pytest.raises(ProcessFailed, match=r"(?s)exit code 1.*no module named flask"):
            program.must_run()


async def test_failed_run_to_end_is_reported_with_all_output(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match=r"ended with exit code 3:\nbad column"):
        await run_to_end(_python("print('bad column'); raise SystemExit(3)", tmp_path), 30.0)


def _has_ended(process_fd: int) -> bool:
    """Whether a killed process of another parent ends: its descriptor becomes readable (pidfd_open(2))."""
    try:
        return bool(select.select([process_fd], [], [], 10.0)[0])
    finally:
        os.close(process_fd)
