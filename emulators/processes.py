"""Starts a server process for the duration of a block, waits until it is ready, and keeps its log."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

HOST = "127.0.0.1"
START_S = 60
STOP_S = 10
POLL_S = 0.02

Ready = TypeVar("Ready")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that accepts connections on `port`."""

    name: str
    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """The `endpoint_url` for AWS clients."""
        return f"http://{HOST}:{self.port}"


@contextmanager
def serving(
    name: str, command: Callable[[int], Sequence[str]], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Runs `command(port)` with a free port until the block ends; yields when the port accepts connections.

    See `running` for the log and the errors.
    """
    server = Server(name, _free_port(), log)
    with running(name, command(server.port), log, lambda: _accepts_connections(server.port), environment):
        yield server


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    log: Path,
    ready: Callable[[], Ready | None],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Ready]:
    """Runs `command` until the block ends; yields the first result of `ready` that is not None.

    stdout and stderr go to `log`. Raises AssertionError with the end of the log when the process ends before it is
    ready, or is not ready within `START_S`.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield _await_ready(name, process, log, ready)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def _await_ready(name: str, process: subprocess.Popen[bytes], log: Path, ready: Callable[[], Ready | None]) -> Ready:
    deadline_s = time.monotonic() + START_S
    while (result := ready()) is None:
        exit_code = process.poll()
        end_of_log = f"; end of its log:\n{log.read_text(errors='replace')[-2000:]}"
        assert exit_code is None, f"{name} ended with exit code {exit_code} before it was ready{end_of_log}"
        assert time.monotonic() < deadline_s, f"{name} was not ready within {START_S} s{end_of_log}"
        time.sleep(POLL_S)
    return result


def _accepts_connections(port: int) -> bool | None:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return None
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
