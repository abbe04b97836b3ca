"""A server process for as long as a block lasts: on a free loopback port, bounded in time, its log kept."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 60
STOP_S = 10


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes connections on `port`."""

    name: str
    port: int
    log: Path

    @property
    def endpoint(self) -> str:
        """What AWS clients call `endpoint_url`."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(
    name: str, command: Callable[[int], Sequence[str]], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Runs `command(port)` until the block is left; what it says goes to `log`.

    Raises AssertionError with the log's end if it takes no connection within `START_S`.
    """
    server = Server(name, _free_port(), log)
    with log.open("w") as output:
        process = subprocess.Popen(
            command(server.port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
    try:
        _await_start(server, process)
        yield server
    finally:
        _end(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _await_start(server: Server, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + START_S
    while not _takes_connections(server.port):
        ended = process.poll()
        said = f"; it said:\n{server.log.read_text()[-2000:]}"
        assert ended is None, f"{server.name} ended with {ended} before it was ready{said}"
        assert time.monotonic() < give_up_s, f"{server.name} was not ready within {START_S} s{said}"
        time.sleep(0.05)


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
