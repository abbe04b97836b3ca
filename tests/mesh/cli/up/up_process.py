"""Runs `mesh up` with stand-ins for the supervisor and the workers."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store
from tests.mesh.cli.up.stand_ins import write_stand_ins

CATALOG = """game: arena
features: {path: players.sqlite}
versions:
  "1":
    combine: {quorum: 1}
    models:
"""
STOP_S = 30


class Up:
    """A running `mesh up` with a worker for each of `uris`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdout, self.stderr = _pipe(process.stdout), _pipe(process.stderr)

    def ready(self) -> dict[str, Any]:
        line = self.stdout.readline()
        assert line, self.errors()
        event: dict[str, Any] = json.loads(line)
        return event

    def line(self, pattern: str) -> str:
        """The next line on stderr that has `pattern` in it."""
        for line in self.stderr:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"ended without saying {pattern!r}")

    def errors(self) -> str:
        return self.stderr.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_S)


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def write_catalog(folder: Path, *uris: str) -> Path:
    models = [f"      - {{name: m{number}, uri: 's3://models/{uri}'}}\n" for number, uri in enumerate(uris)]
    file = folder / "mesh.yaml"
    file.write_text(CATALOG + "".join(models))
    with replacing_store(folder / "players.sqlite", Columns(("age",), ())):
        pass
    return file


@contextmanager
def up(folder: Path, *uris: str, flags: tuple[str, ...] = ("--json",)) -> Iterator[Up]:
    file, temporary = write_catalog(folder, *uris), folder / "tmp"
    temporary.mkdir()
    programs = write_stand_ins(folder / "programs")
    command = [sys.executable, "-m", "mesh.cli.main", "up", str(file), "--port", "0", "--metrics-port", "0", *flags]
    environment = {**os.environ, "PYTHONPATH": str(programs), "TMPDIR": str(temporary)}
    with subprocess.Popen(command, text=True, env=environment, stdout=PIPE, stderr=PIPE) as process:
        try:
            yield Up(process)
        finally:
            process.kill()


def exits(pids: list[int]) -> None:
    """Waits until none of the processes is left."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        gone = select.select([descriptor], [], [], STOP_S)[0]
        os.close(descriptor)
        assert gone


def pids_of(ready: dict[str, Any]) -> list[int]:
    return [ready["supervisor"]["pid"], *(worker["pid"] for worker in ready["workers"])]
