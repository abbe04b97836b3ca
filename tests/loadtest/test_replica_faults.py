"""The faults of a replica are real and end, the aims are checked, and a mesh answers everything meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.errors import CannotMeasure
from loadtest.replica_faults.command import missed
from loadtest.replica_faults.faults import frozen, short_of_cpu, stuck_thread
from loadtest.replica_faults.trial import Trial, second_tries
from mesh.cli.metrics_page import parse

# Two threads that count; the second has the name of a worker's predict thread.
COUNTERS = """
import threading, time
from mesh import serving
counts = [0, 0]
def count(number):
    if number:
        serving.name_thread("predict")
    while True:
        counts[number] += 1
        time.sleep(0.001)
for number in (0, 1):
    threading.Thread(target=count, args=(number,), daemon=True).start()
for _ in iter(input, "end"):
    print(*counts, flush=True)
"""
GOOD = Trial(1000, Counter(full=1000), 20.0, 30.0, 0.1, 0.2, 0.01)


class Counters:
    """A process with two threads that count."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def read(self) -> list[int]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(count) for count in self.process.stdout.readline().split()]

    def growth(self) -> list[int]:
        """How far the threads count in a tenth of a second."""
        before = self.read()
        time.sleep(0.1)
        return [after - count for after, count in zip(self.read(), before, strict=True)]


@pytest.fixture
def counters() -> Iterator[Counters]:
    command = [sys.executable, "-c", COUNTERS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = Counters(process)
            while not all(found.read()):
                time.sleep(0.01)
            yield found
        finally:
            process.kill()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_frozen_process_is_stopped_until_the_fault_ends(counters: Counters) -> None:
    with frozen(counters.process.pid):
        os.waitpid(counters.process.pid, os.WUNTRACED)  # until the signal has stopped it
        assert _state(counters.process.pid) == "T"
    assert all(counters.growth())


def test_stuck_thread_stops_and_the_others_run_on(counters: Counters) -> None:
    try:
        with stuck_thread(counters.process.pid):
            other, stuck = counters.growth()
    except CannotMeasure as error:
        pytest.skip(str(error))
    assert other > 0
    assert stuck == 0
    assert all(counters.growth())


def test_process_without_the_thread_is_reported() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with pytest.raises(CannotMeasure, match=f"{process.pid} has no thread with the name predict"):
                stuck_thread(process.pid).__enter__()
        finally:
            process.kill()


def test_process_is_in_its_cgroup_again_after_the_fault(counters: Counters) -> None:
    cgroup = Path(f"/proc/{counters.process.pid}/cgroup")
    before = cgroup.read_text()
    try:
        with short_of_cpu(counters.process.pid):
            assert f"loadtest-{counters.process.pid}" in cgroup.read_text()
    except CannotMeasure as error:
        pytest.skip(str(error))
    assert cgroup.read_text() == before


def test_second_tries_are_a_share_of_the_rows() -> None:
    before, after = (
        parse(f'mesh_second_try_rows_total{{model="m",cause="overdue"}} {again}\nmesh_cohort_rows_sum {rows}\n')
        for again, rows in ((10, 100), (12, 200))
    )
    assert second_tries(before, after, "m") == 0.02
    assert second_tries(after, after, "m") == 0.0


@pytest.mark.parametrize(
    ("trial", "lines"),
    [
        (GOOD, []),
        (replace(GOOD, out_s=None), []),
        (replace(GOOD, classes=Counter(full=998, error=2)), ["of 1000 answers: 2 error"]),
        (replace(GOOD, classes=Counter(full=998, partial=2)), ["0.20% of the answers are partial; aim: at most 0.1%"]),
        (
            replace(GOOD, p99_ms=51.0, out_s=None),
            ["p99 51 ms; aim: at most 50 ms", "out of rotation after - s; aim: 0.5 s"],
        ),
        (replace(GOOD, back_s=None), ["in rotation again after - s; aim: 1 s"]),
        (replace(GOOD, second_tries=0.06), ["6.0% of the rows were sent twice; aim: at most 5%"]),
    ],
)
def test_missed_aims_are_listed(trial: Trial, lines: list[str]) -> None:
    assert list(missed(trial)) == lines
