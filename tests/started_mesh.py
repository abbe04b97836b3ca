"""A `mesh up` process for tests: started and ended with a block, its output read line by line."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

MESH = (sys.executable, "-m", "mesh.cli.main")
START_S = 60.0
STOP_S = 30.0


class Output:
    """The lines of a stream. A thread reads them, so that a full pipe never blocks the program."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=[stream], daemon=True)
        self._reader.start()

    def line(self, pattern: str = "", within_s: float = START_S) -> str:
        """Returns the next line that matches `pattern`; skips the others. Raises AssertionError if there is none."""
        end_s, skipped = time.monotonic() + within_s, ""
        try:
            while line := self._lines.get(timeout=max(0.0, end_s - time.monotonic())):
                if re.search(pattern, line):
                    return line
                skipped += line
        except queue.Empty:
            raise AssertionError(f"no line matched {pattern!r} within {within_s:g} s:\n{skipped}") from None
        raise AssertionError(f"the output ended before a line matched {pattern!r}:\n{skipped}")

    def rest(self) -> str:
        """Returns all remaining lines; waits for the end of the output."""
        self._reader.join(STOP_S)
        assert not self._reader.is_alive()
        lines = ""
        while not self._lines.empty():
            lines += self._lines.get()
        return lines

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put("")  # marks the end


class StartedMesh:
    """A running `mesh up` on ports that the system picked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdout, self.stderr = Output(process.stdout), Output(process.stderr)

    @cached_property
    def ready(self) -> dict[str, Any]:
        """The ready line that `--json` prints; waits for it."""
        try:
            event: dict[str, Any] = json.loads(self.stdout.line())
        except AssertionError as failure:
            self.process.kill()
            raise AssertionError(f"`mesh up` did not become ready: {failure}\n{self.stderr.rest()}") from None
        return event

    @property
    def address(self) -> str:
        """The address of the Offers service."""
        return str(self.ready["address"])

    def pid(self, model: str, version: str | None = None) -> int:
        """The pid that the first worker of `model`, in `version` or in any, had at the start."""
        workers = self.ready["workers"]
        versions = {version} if version else {worker["version"] for worker in workers}
        return next(int(one["pid"]) for one in workers if one["model"] == model and one["version"] in versions)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)


@contextmanager
def started_mesh(
    catalog: Path, *options: str, environment: Mapping[str, str] = {}, drain_s: float = STOP_S
) -> Iterator[StartedMesh]:
    """Runs `mesh up` during the block; then sends SIGTERM and, after `drain_s`, SIGKILL. 0 kills it at once."""
    command = [*MESH, "up", str(catalog), "--port", "0", "--metrics-port", "0", *options]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, text=True, env={**os.environ, **environment}, stdout=pipe, stderr=pipe)
    mesh = StartedMesh(process)
    try:
        yield mesh
    finally:
        _end(process, drain_s)
        mesh.stdout.rest()
        mesh.stderr.rest()


def _end(process: subprocess.Popen[str], drain_s: float) -> None:
    if drain_s > 0:
        process.terminate()
    try:
        process.wait(drain_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
