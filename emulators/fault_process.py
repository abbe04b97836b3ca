"""Starts the fault server as a process, and sets its fault through its control port."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emulators.faults import Fault
from emulators.processes import HOST, running

CONTROL_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class FaultyDynamoDB:
    """A running fault server."""

    port: int
    control_port: int

    @property
    def endpoint(self) -> str:
        """The `endpoint_url` for AWS clients."""
        return f"http://{HOST}:{self.port}"

    def set(self, fault: Fault) -> None:
        """Applies `fault` to every later request."""
        self._control(asdict(fault))

    def counts(self) -> Mapping[str, Any]:
        """`requests`, `keys`, `unprocessed` and `hits` (requests by kind of fault) since the start."""
        return self._control({})

    def _control(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        with (
            socket.create_connection((HOST, self.control_port), timeout=CONTROL_TIMEOUT_S) as connection,
            connection.makefile("rw") as line,
        ):
            line.write(json.dumps(change) + "\n")
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
    """Runs a fault server with `items` (attribute maps in DynamoDB's JSON) until the block ends; no fault at first.

    While a fault has `later` set, the table holds the `later` items instead.
    """
    content, log = folder / "table.json", folder / "faults.log"
    content.write_text(json.dumps({"table": table, "key": key, "items": items, "later": later}))
    command = (sys.executable, "-m", "emulators.faults", str(content))
    with running("the fault server", command, log, lambda: _ports_in(log)) as ports:
        yield FaultyDynamoDB(**ports)


def _ports_in(log: Path) -> dict[str, int] | None:
    """The ports that the server printed; None before it did."""
    line, newline, _ = log.read_text(errors="replace").partition("\n")
    if not newline or not line.startswith("{"):
        return None
    ports: dict[str, int] = json.loads(line)
    return ports
