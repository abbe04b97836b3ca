"""The writer process at the other end of a real channel."""

from __future__ import annotations

import os
from pathlib import Path

from mesh.decisions.block import SideFile
from mesh.decisions.log import open_log
from supervisor.decisions.writer.__main__ import NICENESS
from tests.supervisor.decisions.writer.blocks import Shape, draw, outcomes
from tests.supervisor.decisions.writer.writer_process import writer

SIDE_FILE = SideFile("ensembles/game=arena/00ff.json", b'{"schema_version": 1}')


def test_blocks_are_in_complete_files_when_the_messages_end(tmp_path: Path) -> None:
    with writer(str(tmp_path)) as process:
        process.send(SIDE_FILE, draw(Shape(requests=7)).block(), outcomes(3), draw(Shape(requests=5)).block())
        last = process.finish()
    assert (last.written, last.dropped, last.held, last.failure) == (15, {}, 0, None)
    with open_log(str(tmp_path)) as log:
        assert log.read(log.decisions("arena")).num_rows == 12
        assert log.read(log.outcomes("arena")).num_rows == 3
        assert log.ensemble("arena", "00ff") == {"schema_version": 1}


def test_blocks_are_written_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with writer(str(tmp_path)) as process:
        process.send(draw(Shape(requests=7)).block())
        process.cut_off(draw(Shape(requests=5)).block())
        assert process.ended() == 0
    with open_log(str(tmp_path)) as log:
        assert log.read(log.decisions("arena")).num_rows == 7


def test_writer_has_a_lower_priority_than_the_process_that_starts_it(tmp_path: Path) -> None:
    with writer(str(tmp_path)) as process:
        process.send(outcomes(1))
        process.report(lambda report: report.held == 1)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, own + NICENESS)
