"""`python -m loadtest.handshakes.opener ADDRESS RATE SECONDS`: opens connections with full handshakes; prints counts.

Each connection makes a TLS handshake without resumption, with the certificate of the environment (MESH_TLS_CERT, ...),
waits for the first frame of the server, which shows that the server accepts it, and closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import uvloop

from mesh import serving
from mesh.tls.channel import client_security
from mesh.tls.connection_fault import ALPN, HTTP2_PREFACE, host_of

MOST_OPEN = 64  # handshakes at the same time
HANDSHAKE_S = 5.0
UNSENT = "not begun: too many were open"
NICENESS = 10  # valid traffic must not wait for the CPU of this process
_FRAME_HEAD = 9


@dataclass(frozen=True, slots=True)
class Target:
    """The server, and how a handshake with it begins."""

    host: str
    port: int
    name: str
    context: ssl.SSLContext


@dataclass(slots=True)
class Counts:
    """Handshakes by their result; `times_ms` are those of the accepted ones, with TCP."""

    accepted: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    times_ms: list[float] = field(default_factory=list)


def main(arguments: list[str]) -> int:
    """Runs the process; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("rate", type=float, help="connections per second; 0: as many as the server takes")
    parser.add_argument("seconds", type=float)
    options = parser.parse_args(arguments)
    serving.follow_parent()
    os.nice(NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        began_s = time.monotonic()
        counts = runner.run(_open_all(_target(options.address), options.rate, options.seconds))
        seconds = time.monotonic() - began_s
    result = {"accepted": counts.accepted, "failed": counts.failed, "times_ms": sorted(counts.times_ms)}
    cpu = time.process_time() / seconds
    print(json.dumps({"event": "counts", "seconds": seconds, "cpu": cpu, **result}), flush=True)
    return 0


def _target(address: str) -> Target:
    security = client_security({}, os.environ)
    context = security.ssl_context()
    context.set_alpn_protocols(ALPN)
    host = host_of(address)
    return Target(host, int(address.rpartition(":")[2]), security.server_name or host, context)


async def _open_all(target: Target, rate: float, seconds: float) -> Counts:
    counts = Counts()
    print(json.dumps({"event": "ready"}), flush=True)
    begin_s = time.monotonic()
    if not rate:
        await asyncio.gather(*(_open_by_turns(target, begin_s + seconds, counts) for _ in range(MOST_OPEN)))
        return counts
    under_way: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, begin_s + number / rate - time.monotonic()))
            if len(under_way) >= MOST_OPEN:
                counts.failed[UNSENT] += 1
                continue
            task = group.create_task(_open(target, counts))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    return counts


async def _open_by_turns(target: Target, end_s: float, counts: Counts) -> None:
    while time.monotonic() < end_s:
        await _open(target, counts)


async def _open(target: Target, counts: Counts) -> None:
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            await _handshake(target)
    except (OSError, EOFError) as error:  # TimeoutError is an OSError
        counts.failed[type(error).__name__] += 1
        return
    counts.accepted += 1
    counts.times_ms.append(1000 * (time.monotonic() - began_s))


async def _handshake(target: Target) -> None:
    secured = {"ssl": target.context, "server_hostname": target.name}
    reader, writer = await asyncio.open_connection(target.host, target.port, **secured)  # type: ignore[arg-type]
    try:
        writer.write(HTTP2_PREFACE)
        await reader.readexactly(_FRAME_HEAD)
    finally:
        writer.transport.abort()  # at once, without waiting for the server


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
