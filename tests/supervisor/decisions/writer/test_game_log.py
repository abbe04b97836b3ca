"""When the writer writes, what it drops, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from mesh.back_off import BackOff
from mesh.decisions.block import SideFile
from supervisor.decisions.channel import Destination, Frame
from supervisor.decisions.writer.game_log import GameLog
from supervisor.decisions.writer.sink import SinkFailed
from tests.supervisor.decisions.writer.blocks import NOON, outcomes
from tests.supervisor.replica import until

RECORDS = 300  # so many that a file is smaller than its frame
FRAME = Frame(RECORDS, pickle.dumps(outcomes(RECORDS)))
SIDE_FILE = SideFile("ensembles/game=arena/00ff.json", b"{}")
NEVER_S = 10_000.0


@dataclass
class Memory:
    """A sink that keeps the paths of its files; it fails while `reason` is set, and hangs while `is_open` is not."""

    paths: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    reason: str | None = None
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False

    async def put(self, path: str, _: bytes | memoryview, *, only_new: bool = False) -> None:
        self.attempts.append(path)
        await self.is_open.wait()
        if self.reason is not None:
            raise SinkFailed(self.reason)
        assert only_new == path.endswith(".json")
        self.paths.append(path)

    async def clean(self) -> int:
        return 0

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Running:
    """A running log and its messages."""

    log: GameLog
    sink: Memory
    messages: asyncio.Queue[SideFile | Frame | None]
    task: asyncio.Task[None]

    def send(self, *messages: SideFile | Frame) -> None:
        for message in messages:
            self.messages.put_nowait(message)

    async def end(self) -> None:
        self.messages.put_nowait(None)
        await self.task


@contextlib.asynccontextmanager
async def a_log(flush_s: float = NEVER_S, frames: float = 100, stop_s: float = 60.0) -> AsyncIterator[Running]:
    """A log that holds at most `frames`."""
    sink, names = Memory(), count()
    sink.is_open.set()
    destination = Destination("arena", "/log", flush_s, round(frames * len(FRAME.content)), stop_s)
    back_off = BackOff(0.001, 0.001, lambda _, high: high)
    log = GameLog(destination, sink, back_off, lambda: f"file-{next(names)}")
    messages: asyncio.Queue[SideFile | Frame | None] = asyncio.Queue()

    async def received() -> AsyncIterator[SideFile | Frame]:
        while (message := await messages.get()) is not None:
            yield message

    task = asyncio.create_task(log.run(received()))
    try:
        yield Running(log, sink, messages, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def path_of(number: int) -> str:
    return f"outcomes/game=arena/date=2026-11-28/hour=12/file-{number}.parquet"


async def test_frames_wait_for_the_flush() -> None:
    async with a_log(flush_s=0.05) as running:
        running.send(FRAME)
        await until(lambda: running.sink.paths == [path_of(0)])
        report = running.log.report()
        assert (report.written, report.files, report.held, report.failure) == (RECORDS, 1, 0, None)
        assert report.flushed_s is not None


async def test_many_frames_are_written_before_the_flush() -> None:
    async with a_log(frames=8) as running:
        running.send(FRAME)
        await until(lambda: running.log.report().held == RECORDS)
        assert running.sink.attempts == []
        running.send(FRAME)
        await until(lambda: running.sink.paths == [path_of(0)])
        assert running.log.report().written == 2 * RECORDS


async def test_rest_is_written_at_the_end() -> None:
    async with a_log() as running:
        running.send(FRAME, FRAME)
        await running.end()
        assert running.sink.paths == [path_of(0)]
        assert running.sink.is_closed
        assert running.log.report().written == 2 * RECORDS


async def test_side_files_come_first() -> None:
    async with a_log() as running:
        running.send(FRAME, SIDE_FILE)
        await running.end()
        assert running.sink.paths == [SIDE_FILE.path, path_of(0)]
        assert running.log.report().files == 1


async def test_side_file_that_fails_holds_the_frames_back() -> None:
    async with a_log(flush_s=0.01) as running:
        running.sink.reason = "no such bucket"
        running.send(SIDE_FILE, FRAME)
        await until(lambda: len(running.sink.attempts) > 3)
        assert set(running.sink.attempts) == {SIDE_FILE.path}
        running.sink.reason = None
        await until(lambda: running.sink.paths == [SIDE_FILE.path, path_of(0)])


async def test_frames_whose_side_file_fails_are_dropped_and_not_written() -> None:
    async with a_log(frames=4) as running:
        running.sink.reason = "no such bucket"
        running.send(SIDE_FILE)
        for turn in range(1, 4):
            running.send(*[FRAME] * 8)
            await until(lambda turn=turn: len(running.sink.attempts) > 5 * turn)  # type: ignore[misc]
        assert running.log.report().dropped["sink"] > 0
        assert set(running.sink.attempts) == {SIDE_FILE.path}


async def test_failing_sink_is_reported_and_recovers() -> None:
    async with a_log(flush_s=0.01) as running:
        running.sink.reason = "no space left on device"
        running.send(FRAME)
        await until(lambda: running.log.report().failure == "no space left on device")
        assert running.log.report().held == RECORDS
        running.sink.reason = None
        await until(lambda: running.log.report().written == RECORDS)
        report = running.log.report()
        assert (report.failure, report.dropped, report.held) == (None, {}, 0)


async def test_failing_sink_drops_the_oldest_frames_and_counts_them() -> None:
    async with a_log(frames=4) as running:
        running.sink.reason = "no space left on device"
        running.send(*[FRAME] * 40)
        await until(lambda: running.log.report().dropped.get("sink", 0) >= 36 * RECORDS)
        report = running.log.report()
        assert report.held_bytes <= 4 * len(FRAME.content)
        assert report.held + report.dropped["sink"] == 40 * RECORDS
        running.sink.reason = None
        await running.end()
        report = running.log.report()
        assert report.written + report.dropped["sink"] == 40 * RECORDS
        assert report.written > 0


async def test_warning_is_not_repeated_with_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    async with a_log(flush_s=0.01) as running:
        running.sink.reason = "no space left on device"
        running.send(FRAME)
        await until(lambda: len(running.sink.attempts) > 20)
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in warnings] == [
        "the decision log of arena cannot be written: no space left on device"
    ]


async def test_end_does_not_wait_longer_than_allowed_for_a_sink_that_hangs() -> None:
    async with a_log(stop_s=0.05) as running:
        running.sink.is_open.clear()
        running.send(FRAME, FRAME)
        await running.end()
        report = running.log.report()
        assert (report.written, report.dropped, report.held) == (0, {"stopped": 2 * RECORDS}, 0)


async def test_frame_that_cannot_be_encoded_is_counted_and_the_next_is_written() -> None:
    async with a_log(flush_s=0.01) as running:
        running.send(Frame(5, pickle.dumps("not a block")))
        await until(lambda: running.log.report().dropped == {"broken": 5})
        running.send(FRAME)
        await until(lambda: running.log.report().written == RECORDS)


async def test_rows_of_another_hour_go_to_a_file_of_their_own() -> None:
    late = outcomes(2, NOON - timedelta(hours=13))
    async with a_log() as running:
        running.send(FRAME, Frame(2, pickle.dumps(late)))
        await running.end()
        assert sorted(running.sink.paths) == [
            "outcomes/game=arena/date=2026-11-27/hour=23/file-0.parquet",
            path_of(1),
        ]
