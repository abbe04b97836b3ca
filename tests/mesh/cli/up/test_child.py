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
from mesh.cli.up.restarts import Ended
from mesh.process import Event

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
LONG_WINDED = """
import sys
sys.exit("\\n".join(f"line {number}" for number in range(100_000)))
"""
CHATTY = """
import json, sys
print("no json")
print(json.dumps({"event": "other"}))
print(json.dumps({"event": "ready"}), flush=True)
for _ in range(100):
    print("x" * 100_000, flush=True)
    print("y" * 100_000, file=sys.stderr, flush=True)
"""


class Recorder:
    """Takes down what becomes of a child."""

    def __init__(self) -> None:
        self.readies: asyncio.Queue[Event | None] = asyncio.Queue()
        self.ends: asyncio.Queue[tuple[Ended, float]] = asyncio.Queue()

    def child_is_ready(self, child: Child) -> None:
        self.readies.put_nowait(child.ready)

    def child_has_ended(self, child: Child, ended: Ended, pause_s: float) -> None:
        assert child.ready is None
        self.ends.put_nowait((ended, pause_s))


class Kept:
    """A child that is kept running while the block lasts."""

    def __init__(self, folder: Path, script: str, command: Callable[[Event | None], list[str]] | None = None) -> None:
        self.recorder = Recorder()
        self.log = folder / "child.log"
        self.child = Child("it", command or (lambda _: [sys.executable, "-c", script]), self.log, self.recorder)

    async def __aenter__(self) -> "Kept":
        self.task = asyncio.create_task(self.child.keep_running())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.child.kill()
        await self.task

    async def ready(self) -> Event:
        event = await self.recorder.readies.get()
        assert event is not None
        return event

    async def ended(self) -> tuple[Ended, float]:
        return await self.recorder.ends.get()

    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid


async def test_a_ready_child_says_where_it_serves(tmp_path: Path) -> None:
    async with Kept(tmp_path, SERVE) as kept:
        assert (await kept.ready())["port"] == 1
        assert kept.child.state == "ready"


async def test_a_killed_child_starts_again_at_once(tmp_path: Path) -> None:
    async with Kept(tmp_path, SERVE) as kept:
        await kept.ready()
        first = kept.pid()

        os.kill(first, signal.SIGKILL)

        ended, pause_s = await kept.ended()
        assert (ended.code, ended.was_ready, pause_s) == (-signal.SIGKILL, True, 0.0)
        await kept.ready()
        assert kept.pid() != first


async def test_a_child_that_crashes_at_its_start_waits_longer_each_time(tmp_path: Path) -> None:
    async with Kept(tmp_path, CRASH) as kept:
        ends = [await kept.ended() for _ in range(3)]

    assert [pause_s for _, pause_s in ends] == [0.1, 0.2, 0.4]


async def test_the_last_lines_are_those_of_the_run_that_ended(tmp_path: Path) -> None:
    async with Kept(tmp_path, CRASH) as kept:
        await kept.ended()
        ended, _ = await kept.ended()

    assert ended.last_lines == ("first word", "last word")
    assert kept.log.read_text().splitlines() == ["first word", "last word"] * 2


async def test_a_child_can_come_back_with_what_it_was_ready_with(tmp_path: Path) -> None:
    def command(before: Event | None) -> list[str]:
        return [sys.executable, "-c", SERVE, json.dumps(dict(before)) if before else "nothing"]

    async with Kept(tmp_path, "", command) as kept:
        first = await kept.ready()
        os.kill(kept.pid(), signal.SIGKILL)
        second = await kept.ready()

    assert first["arguments"] == ["nothing"]
    assert json.loads(second["arguments"][0]) == first


async def test_a_child_that_is_told_to_end_is_not_started_again(tmp_path: Path) -> None:
    async with Kept(tmp_path, SERVE) as kept:
        await kept.ready()
        kept.child.end()
        await kept.task

    assert kept.child.pid is None
    assert kept.recorder.ends.empty()


async def test_a_child_that_is_told_to_end_in_its_pause_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.cli.up.restarts.FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr("mesh.cli.up.restarts.LONGEST_PAUSE_S", 3600.0)
    async with Kept(tmp_path, CRASH) as kept:
        await kept.ended()
        kept.child.end()
        await kept.task


async def test_a_child_that_is_told_to_end_while_it_starts_ends(tmp_path: Path) -> None:
    async with Kept(tmp_path, SERVE) as kept:
        await asyncio.sleep(0)  # far enough for its start to be under way
        assert kept.child.pid is None
        kept.child.end()
        await kept.task

    assert kept.log.exists()
    assert kept.recorder.ends.empty()


async def test_what_a_killed_child_had_started_is_killed_with_it(tmp_path: Path) -> None:
    async with Kept(tmp_path, WITH_A_GRANDCHILD) as kept:
        grandchild = os.pidfd_open((await kept.ready())["grandchild"])
        os.kill(kept.pid(), signal.SIGKILL)
        await kept.ended()

    assert await asyncio.to_thread(select.select, [grandchild], [], [], 30) == ([grandchild], [], [])
    os.close(grandchild)


async def test_a_child_is_never_blocked_by_what_it_writes(tmp_path: Path) -> None:
    async with Kept(tmp_path, CHATTY) as kept:
        await kept.ready()
        ended, _ = await kept.ended()

    assert ended.code == 0


async def test_a_program_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    async with Kept(tmp_path, "", lambda _: [str(tmp_path / "nobody")]) as kept:
        ended, pause_s = await kept.ended()
        await kept.ended()

    assert (ended.code, pause_s) == (CANNOT_START, 0.1)
    assert "No such file" in ended.last_lines[0]


async def test_cancelling_the_keeper_leaves_no_process(tmp_path: Path) -> None:
    kept = Kept(tmp_path, SERVE)
    async with asyncio.TaskGroup() as group:
        keeper = group.create_task(kept.child.keep_running())
        await kept.ready()
        running = os.pidfd_open(kept.pid())
        keeper.cancel()

    assert select.select([running], [], [], 0)[0] == [running]
    os.close(running)


async def test_of_a_long_log_only_the_end_is_shown(tmp_path: Path) -> None:
    async with Kept(tmp_path, LONG_WINDED) as kept:
        ended, _ = await kept.ended()

    assert ended.last_lines == tuple(f"line {number}" for number in range(99_990, 100_000))
