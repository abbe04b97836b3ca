"""The fault server as a process of its own, and the hand that switches its faults."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emulators.faults import HOST, Fault

PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class FaultyDynamoDB:
    """A running fault server."""

    port: int
    control_port: int

    @property
    def endpoint(self) -> str:
        """What AWS clients call `endpoint_url`."""
        return f"http://{HOST}:{self.port}"

    def set(self, fault: Fault) -> None:
        """From now on every request meets `fault`."""
        self._say(asdict(fault))

    def counts(self) -> Mapping[str, Any]:
        """`requests`, `keys`, `unprocessed` and `hits` (by kind of fault) since the start."""
        return self._say({})

    def _say(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        with (
            socket.create_connection((HOST, self.control_port), timeout=PATIENCE_S) as connection,
            connection.makefile("rw") as line,
        ):
            line.write(json.dumps(wish) + "\n")
            line.flush()
            counts: Mapping[str, Any] = json.loads(line.readline())
            return counts


@contextmanager
def faulty_dynamodb(
    folder: Path,
    items: Sequence[Mapping[str, Any]],
    *,
    later: Sequence[Mapping[str, Any]] = (),
    table: str = "players",
    key: str = "player_id",
) -> Iterator[FaultyDynamoDB]:
    """A fault server of `items` (maps of attributes in DynamoDB's JSON), without a fault at first.

    `later` are what it holds instead while a fault says so.
    """
    content, log = folder / "table.json", folder / "faults.log"
    content.write_text(json.dumps({"table": table, "key": key, "items": items, "later": later}))
    with log.open("w") as stderr:
        process = subprocess.Popen(
            (sys.executable, "-m", "emulators.faults", str(content)),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"the fault server ended with {process.wait(PATIENCE_S)} before it was ready:\n{log.read_text()}"
        yield FaultyDynamoDB(**json.loads(line))
    finally:
        process.kill()  # it keeps nothing that could be lost
        process.wait(PATIENCE_S)
        process.stdout.close()
