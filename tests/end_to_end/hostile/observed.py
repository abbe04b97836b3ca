"""What must not change while a process is attacked: its pid, health, memory, files and log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from mesh.serving import lane_options
from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

RATE = 100.0  # valid requests per second beside an attack
DEADLINE_S = 2.0
ATTACK_S = 90.0
SETTLE_S = 30.0
MAX_GROWTH_MB, MAX_LINES = 20.0, 20


@dataclass(frozen=True, slots=True)
class State:
    """The state of a process."""

    memory_mb: float
    files: int
    log_bytes: int

    def is_within(self, before: State, growth_mb: float) -> bool:
        """Returns whether no more files are open than `before`, and the memory has grown by less than `growth_mb`."""
        return self.files <= before.files and self.memory_mb - before.memory_mb < growth_mb


@dataclass(frozen=True, slots=True)
class Attacked:
    """A process of a mesh that is attacked at `address`; `service` is the text of `loadtest.hostile.services`."""

    pid: int
    address: str
    metrics: str
    service: str
    log: Path

    def state(self) -> State:
        """Returns the present state. Raises OSError if the process has ended."""
        return State(self._memory_mb(), len(list(Path(f"/proc/{self.pid}/fd").iterdir())), self.log.stat().st_size)

    def _memory_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def new_lines(self, before: State) -> list[str]:
        """Returns the lines of the log since `before`."""
        with self.log.open("rb") as file:
            file.seek(before.log_bytes)
            return file.read().decode(errors="replace").splitlines()

    async def settled(self, before: State, growth_mb: float = MAX_GROWTH_MB) -> State:
        """Returns the state once it is within these limits (`State.is_within`), or after `SETTLE_S`.

        A process returns the memory that it has freed, but only after some seconds (`mesh.heap`).
        """
        end_s = time.monotonic() + SETTLE_S
        while not (state := self.state()).is_within(before, growth_mb) and time.monotonic() < end_s:  # noqa: ASYNC110 (a process)
            await asyncio.sleep(0.1)
        return state

    async def is_serving(self) -> bool:
        """Returns whether the health service answers SERVING."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S, wait_for_ready=True)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(slots=True)
class Traffic:
    """The answers to valid requests: counts by source, or by the status of a failed call."""

    answers: Counter[str] = field(default_factory=Counter)


@contextlib.asynccontextmanager
async def steady_traffic(address: str, security: ClientSecurity = PLAINTEXT) -> AsyncIterator[Traffic]:
    """Sends `RATE` requests per second on a connection of its own during the block; waits for the last answers."""
    traffic, stop = Traffic(), asyncio.Event()
    async with open_aio_channel(address, security, lane_options()) as channel, asyncio.TaskGroup() as calls:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]

        async def call(player: int) -> None:
            request = wire.GetOfferRequest(game="testgame", player_id=f"player-{player % 100}")
            try:
                answer = await stub.GetOffer(request, timeout=DEADLINE_S)
                traffic.answers[wire.Source.Name(answer.source)] += 1
            except grpc.aio.AioRpcError as error:
                traffic.answers[f"{error.code().name}: {error.details()}"] += 1

        async def send() -> None:
            number, next_s = 0, time.monotonic()
            while not stop.is_set():
                calls.create_task(call(number))
                number, next_s = number + 1, next_s + 1 / RATE
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))  # the rate of the load, not a wait

        calls.create_task(send())
        try:
            yield traffic
        finally:
            stop.set()


async def attack(name: str, address: str, service: str, size: float = 1.0) -> Counter[str]:
    """Runs an attack in a process of its own; returns its counts."""
    command = [sys.executable, "-m", "loadtest.hostile", name, address, service, str(size)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(ATTACK_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return Counter(json.loads(output))
