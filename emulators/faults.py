"""A DynamoDB server that fails on demand: one table, GetItem and BatchGetItem, and a control port that sets the fault.

`python -m emulators.faults TABLE.json` reads {"table", "key", "items", "later"} and prints {"port",
"control_port"}. A line of JSON to the control port, {"kind", "share", "delay_ms", "later"}, changes the fault; {}
changes nothing. The server responds to each line with its counts since the start.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from emulators.fault_answers import Refused, Table
from emulators.processes import HOST

Kind: TypeAlias = Literal[
    "none", "throttle", "unprocessed", "error", "bad_json", "bad_crc", "cut", "stall", "trickle", "slow", "refuse"
]
SEED = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """The kind of failure, with its parameters.

    `unprocessed` returns `share` of the keys of a batch as unprocessed; below 1, at least one key is returned.
    `slow` responds after `delay_ms`. `trickle` waits `delay_ms` between two bytes. `stall` reads the request
    and never responds. `refuse` accepts no connections. With `later`, the table holds its later items.
    """

    kind: Kind = "none"
    share: float = 1.0
    delay_ms: float = 0.0
    later: bool = False


@dataclass(slots=True)
class Counts:
    """Counts since the start: requests, their keys, keys returned as unprocessed, and requests by kind of fault."""

    requests: int = 0
    keys: int = 0
    unprocessed: int = 0
    hits: dict[str, int] = field(default_factory=dict)


class FaultServer:
    """Serves the table; a line on the control port sets the fault for later requests."""

    def __init__(self, table: Table, later: Table) -> None:
        self._tables = (table, later)
        self._fault = Fault()
        self._rng = random.Random(SEED)
        self._counts = Counts()
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._listener: asyncio.Server | None = None

    async def listen(self) -> int:
        """Accepts connections and returns the port, which is the same each time."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, HOST, self._port)
            self._port = self._listener.sockets[0].getsockname()[1]
        return self._port

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to the control port."""
        while line := await reader.readline():
            if change := json.loads(line):
                await self._change(Fault(**change))
            writer.write(json.dumps(asdict(self._counts)).encode() + b"\n")
        writer.close()

    async def _change(self, fault: Fault) -> None:
        self._fault = fault
        if fault.kind != "refuse":
            await self.listen()
        elif self._listener is not None:
            self._listener.close()
            self._listener = None
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(_header(head, b"content-length")))
                operation = _header(head, b"x-amz-target").rpartition(b".")[2].decode()
                fault = self._fault
                answer = self._answer(operation, json.loads(body), fault)
                if fault.kind == "stall":
                    await reader.read()  # until the client gives up
                else:
                    await _send(writer, *answer, fault)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client closed the connection
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, operation: str, request: Mapping[str, Any], fault: Fault) -> tuple[int, bytes]:
        self._counts.requests += 1
        if fault.kind != "none":
            self._counts.hits[fault.kind] = self._counts.hits.get(fault.kind, 0) + 1
        try:
            return 200, self._read(operation, request, fault)
        except Refused as refused:
            return refused.status, refused.body

    def _read(self, operation: str, request: Mapping[str, Any], fault: Fault) -> bytes:
        if fault.kind == "throttle":
            raise Refused(400, "ProvisionedThroughputExceededException", "The configured throughput was exceeded")
        if fault.kind == "error":
            raise Refused(500, "InternalServerError", "The request could not be processed because of an internal error")
        table = self._tables[fault.later]
        if operation == "GetItem":
            self._counts.keys += 1
            return table.get(request)
        if operation != "BatchGetItem":
            raise Refused(400, "UnknownOperationException", f"{operation} is not supported")
        keys = table.batch_keys(request)
        self._counts.keys += len(keys)
        unprocessed = self._unprocessed(len(keys), fault)
        self._counts.unprocessed += len(unprocessed)
        answered = [key for position, key in enumerate(keys) if position not in unprocessed]
        return table.batch(answered, [keys[position] for position in sorted(unprocessed)], self._rng)

    def _unprocessed(self, keys: int, fault: Fault) -> set[int]:
        """The positions of the keys that stay unprocessed."""
        if fault.kind != "unprocessed":
            return set()
        if fault.share >= 1:
            return set(range(keys))
        return set(self._rng.sample(range(keys), min(round(keys * fault.share), keys - 1)))


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, fault: Fault) -> None:
    if fault.kind == "bad_json":
        body = body[:-1]
    crc = zlib.crc32(body) ^ (fault.kind == "bad_crc")
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        f"x-amzn-RequestId: TEST\r\nx-amz-crc32: {crc}\r\n\r\n"
    ).encode()
    match fault.kind:
        case "cut":
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            writer.close()
        case "trickle":
            for byte in head + body:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(fault.delay_ms / 1e3)
        case "slow":
            await asyncio.sleep(fault.delay_ms / 1e3)
            writer.write(head + body)
        case _:
            writer.write(head + body)
    await writer.drain()


def _header(head: bytes, name: bytes) -> bytes:
    start = head.lower().index(b"\r\n" + name + b":") + len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


async def _main(table: Table, later: Table) -> None:
    server = FaultServer(table, later)
    control = await asyncio.start_server(server.control, HOST, 0)
    ports = {"port": await server.listen(), "control_port": control.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    await control.serve_forever()


if __name__ == "__main__":
    content = json.loads(Path(sys.argv[1]).read_text())
    now, later = (Table.of(content["table"], content["key"], content[when]) for when in ("items", "later"))
    asyncio.run(_main(now, later))
