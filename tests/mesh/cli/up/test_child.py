import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh.cli.up.child import CANNOT_START, Child
from mesh.cli.up.restarts import Exit
from mesh.process import Event

pytestmark = pytest.mark.whole_machine  # real time limits

SERVE = """
import json, signal, sys
print("starting", file=sys.stderr, flush=True)
print(json.dumps({"event": "ready", "port": 1, "arguments": sys.argv[1:]}), flush=True)
signal.pause()
"""
CRASH = """
import sys
print("first word", file=sys.stderr)
sys.exit("last word")
"""
WITH_A_GRANDCHILD = """
import json, signal, subprocess, sys
sleeper = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(json.dumps({"event": "ready", "grandchild": sleeper.pid}), flush=True)
signal.pause()
"""
LONG_LOG = """
import sys
sys.exit("\\n".join(f"line {number}" for number in range(100_000)))
"""
CHATTY = """
import json, sys
print("not JSON")
print(json.dumps({"event": "other"}))
print(json.dumps({"event": "ready"}), flush=True)
for _ in range(100):
    print("x" * 100_000, flush=True)
    print("y" * 100_000, file=sys.stderr, flush=True)
"""


class Recorder:
    """Records the events of a child process."""

    def __init__(self) -> None:
        self.readies: asyncio.Queue[Event | None] = asyncio.Queue()
        self.ends: asyncio.Queue[tuple[Exit, float | None]] = asyncio.Queue()

    def child_is_ready(self, child: Child) -> None:
        self.readies.put_nowait(child.ready)

    def child_has_ended(self, child: Child, end: Exit, pause_s: float | None) -> None:
        assert child.ready is None
        self.ends.put_nowait((end, pause_s))


class RunningChild:
    """A child process that is kept running during the block."""

    def __init__(self, folder: Path, script: str, command: Callable[[Event | None], list[str]] | None = None) -> None:
        self.recorder = Recorder()
        self.log = folder / "child.log"
        self.child = Child("child", command or (lambda _: [sys.executable, "-c", script]), self.log, self.recorder)

    async def __aenter__(self) -> "RunningChild":
        self.task = asyncio.create_task(self.child.keep_running())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.child.kill()
        await self.task

    async def ready(self) -> Event:
        event = await self.recorder.readies.get()
        assert event is not None
        return event

    async def ended(self) -> tuple[Exit, float | None]:
        return await self.recorder.ends.get()

    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid


async def test_ready_child_reports_its_port(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, SERVE) as running:
        assert (await running.ready())["port"] == 1
        assert running.child.state == "ready"


async def test_children_share_our_session_so_that_their_niceness_counts(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, SERVE) as running:
        await running.ready()
        assert os.getsid(running.pid()) == os.getsid(0)


async def test_killed_child_starts_again_at_once(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, SERVE) as running:
        await running.ready()
        first = running.pid()

        os.kill(first, signal.SIGKILL)

        ended, pause_s = await running.ended()
        assert (ended.code, ended.was_ready, pause_s) == (-signal.SIGKILL, True, 0.0)
        await running.ready()
        assert running.pid() != first


async def test_pause_doubles_while_a_child_crashes_at_its_start(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, CRASH) as running:
        ends = [await running.ended() for _ in range(3)]

    assert [pause_s for _, pause_s in ends] == [0.1, 0.2, 0.4]


async def test_last_lines_come_from_the_run_that_ended(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, CRASH) as running:
        await running.ended()
        ended, _ = await running.ended()

    assert ended.last_lines == ("first word", "last word")
    assert running.log.read_text().splitlines() == ["first word", "last word"] * 2


async def test_restart_command_gets_the_last_ready_event(tmp_path: Path) -> None:
    def command(before: Event | None) -> list[str]:
        return [sys.executable, "-c", SERVE, json.dumps(dict(before)) if before else "nothing"]

    async with RunningChild(tmp_path, "", command) as running:
        first = await running.ready()
        os.kill(running.pid(), signal.SIGKILL)
        second = await running.ready()

    assert first["arguments"] == ["nothing"]
    assert json.loads(second["arguments"][0]) == first


async def test_ended_child_is_not_started_again(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, SERVE) as running:
        await running.ready()
        running.child.end()
        await running.task

    assert running.child.pid is None
    assert running.recorder.ends.empty()


async def test_end_during_the_pause_takes_effect_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.cli.up.restarts.FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr("mesh.cli.up.restarts.LONGEST_PAUSE_S", 3600.0)
    async with RunningChild(tmp_path, CRASH) as running:
        await running.ended()
        running.child.end()
        await running.task


async def test_end_during_the_start_takes_effect(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, SERVE) as running:
        await asyncio.sleep(0)  # lets the start begin
        assert running.child.pid is None
        running.child.end()
        await running.task

    assert running.log.exists()
    assert running.recorder.ends.empty()


async def test_grandchildren_are_killed_with_the_child(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, WITH_A_GRANDCHILD) as running:
        grandchild = os.pidfd_open((await running.ready())["grandchild"])
        os.kill(running.pid(), signal.SIGKILL)
        await running.ended()

    assert await asyncio.to_thread(select.select, [grandchild], [], [], 30) == ([grandchild], [], [])
    os.close(grandchild)


async def test_output_never_blocks_a_child(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, CHATTY) as running:
        await running.ready()
        ended, _ = await running.ended()

    assert ended.code == 0


async def test_program_that_cannot_be_started_is_started_again(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, "", lambda _: [str(tmp_path / "no-such-program")]) as running:
        ended, pause_s = await running.ended()
        await running.ended()

    assert (ended.code, pause_s) == (CANNOT_START, 0.1)
    assert "No such file" in ended.last_lines[0]


async def test_cancellation_leaves_no_process(tmp_path: Path) -> None:
    running = RunningChild(tmp_path, SERVE)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.child.keep_running())
        await running.ready()
        descriptor = os.pidfd_open(running.pid())
        task.cancel()

    assert select.select([descriptor], [], [], 0)[0] == [descriptor]
    os.close(descriptor)


async def test_last_lines_are_limited_to_the_end_of_a_long_log(tmp_path: Path) -> None:
    async with RunningChild(tmp_path, LONG_LOG) as running:
        ended, _ = await running.ended()

    assert ended.last_lines == tuple(f"line {number}" for number in range(99_990, 100_000))
