"""The log of a game while its catalog changes: nothing is lost without a count, and its memory stays bounded."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from mesh.catalog.decisions import Decisions
from mesh.decisions.block import SideFile
from supervisor.decisions import logs, writer_process
from supervisor.decisions.channel import Destination
from supervisor.decisions.logs import GameLog
from supervisor.decisions.writer_process import DEAD, KEPT_FILES, WriterProcess
from supervisor.outcomes.outcome import Outcome
from tests.supervisor.replica import until

WORDS = ("--log-level", "error")
OUTCOME = Outcome("o1", None, "r1", 1_700_000_000_000_000, 1_700_000_000_000_000, None, "shown", None, None, None)


def to(folder: Path) -> Decisions:
    return Decisions(to=str(folder))


async def test_destination_that_comes_back_while_its_writer_ends_gets_all_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "UNUSED_S", 0.05)
    log, first = GameLog("g", WORDS), to(tmp_path / "a")
    await log.work(first)
    await asyncio.sleep(0.1)
    await log.work(to(tmp_path / "b"))
    await log.work(first)
    log.recorder.record_outcome(OUTCOME)
    await log.close(first)
    assert (log.written, log.dropped.total(), log.writers) == (1, 0, [])


async def test_outcomes_that_came_before_the_log_was_removed_are_written(tmp_path: Path) -> None:
    log = GameLog("g", WORDS)
    await log.work(to(tmp_path))
    log.recorder.record_outcome(OUTCOME)
    await log.close(None)
    assert (log.written, log.dropped.total()) == (1, 0)


async def test_supervisor_without_descriptors_counts_what_it_cannot_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pair() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(writer_process, "FIRST_PAUSE_S", 0.01)
    log, block = GameLog("g", WORDS), to(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socketpair", no_pair)
        await log.work(block)
        log.recorder.record_outcome(OUTCOME)
        await log.work(block)
        await log.work(block)
    assert log.dropped == {DEAD: 1}
    await until(lambda: all(one.has_room for one in log.writers))
    log.recorder.record_outcome(OUTCOME)
    await log.close(block)
    assert (log.written, log.dropped) == (1, {DEAD: 1})


def test_side_files_of_earlier_catalogs_are_forgotten() -> None:
    process = WriterProcess(Destination("g", "/log", 30.0, 2**20, 5.0), 2**20, WORDS)
    for number in range(3 * KEPT_FILES):
        process.add_side_file(SideFile(f"offers/game=g/{number}.json", b"{}"))
        process.add_side_file(SideFile("layouts/game=g/used.json", b"{}"))
    kept = list(process._side_files)
    assert len(kept) == KEPT_FILES
    assert kept[-2:] == [f"offers/game=g/{3 * KEPT_FILES - 1}.json", "layouts/game=g/used.json"]
