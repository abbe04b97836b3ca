"""The output of logs, with real pipes."""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mesh.logs.output import MOST_WAITING, ThreadHandler

F_SETPIPE_SZ = 1031  # fcntl(2), Linux


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    yield reading, writing
    os.close(reading)


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("mesh", logging.INFO, "file", 1, message, (), None)


def read_lines(reading: int, until: str) -> list[str]:
    with os.fdopen(os.dup(reading), encoding="utf-8") as file:
        lines = []
        for line in file:
            lines.append(line.rstrip("\n"))
            if until in line:
                return lines
    raise AssertionError(f"the output ended before {until!r}")


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    handler = ThreadHandler(pipe[1])
    for number in range(100):
        handler.emit(record(str(number)))
    assert read_lines(pipe[0], "99") == [str(number) for number in range(100)]


def test_full_pipe_does_not_stall_and_its_lost_lines_are_counted(pipe: tuple[int, int]) -> None:
    handler = ThreadHandler(pipe[1])
    count = MOST_WAITING + 1000
    for number in range(count):
        handler.emit(record(f"line {number:06}"))  # nobody reads: a handler that waited would hang here
    assert handler.dropped > 0
    lines = read_lines(pipe[0], "were dropped")
    assert lines[-1] == f"{handler.dropped} log lines were dropped, because the reader of the log was too slow"
    assert len(lines) - 1 + handler.dropped == count


def test_reader_that_is_gone_does_not_end_the_program() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    handler = ThreadHandler(writing)
    handler.emit(record("lost"))
    handler.flush()
    assert handler.dropped == 1


def test_the_last_lines_are_written_at_the_end_of_the_process() -> None:
    code = (
        "import logging; from mesh.logs.setup import log_to_stderr; log_to_stderr('info', 'json');"
        "[logging.info('line %d', n) for n in range(150)]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split('"message": ')[1] for line in done.stderr.splitlines()] == [f'"line {n}"}}' for n in range(150)]
