"""Clients that leave: calls cancelled at random moments, connections cut, processes killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter

from loadtest.hostile.attacks import Aim, Attack, Outcomes, all_of
from loadtest.hostile.connection import Connection, connected, headers_frame, request
from loadtest.hostile.frames import DATA, END_STREAM, frame, grpc_message, rst_stream

CANCELLED = 5_000
LONGEST_S = 0.03
CUT_AT_ONCE = 4
UNDER_WAY = 400  # calls of a client that is killed
READY = b"ready"


async def cancelled_calls(aim: Aim) -> Outcomes:
    """Cancels calls at random moments: before, while and after the server works on them."""
    rng = random.Random(5)
    paths = [aim.service.main, *(path for path in aim.service.streams if "Stream" in path)]
    async with connected(aim.target) as connection:
        await connection.greet()
        reader = asyncio.create_task(connection.until_closed(120.0))
        gate = asyncio.Semaphore(100)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(aim.times(CANCELLED)):
                await gate.acquire()
                delay_s = rng.random() * LONGEST_S
                work = _cancelled(connection, rng.choice(paths), aim, delay_s)
                tasks.create_task(work).add_done_callback(lambda _: gate.release())
        is_closed = reader.done()
        reader.cancel()
    return Counter({"cancelled": aim.times(CANCELLED), "closed" if is_closed else "open": 1})


async def cut_connections(aim: Aim) -> Outcomes:
    """Cuts connections while calls are under way, also in the middle of a frame."""
    rng = random.Random(6)
    body = grpc_message(aim.service.unary[aim.service.main])

    async def cut() -> str:
        async with connected(aim.target) as connection:
            await connection.greet()
            data = b"".join(request(connection.next_stream(), aim.service.main, body) for _ in range(10))
            await connection.send(data[: rng.randrange(len(data))])
            await asyncio.sleep(rng.random() * LONGEST_S / 3)
        return "cut"

    return await all_of((cut() for _ in range(aim.times(300))), at_once=CUT_AT_ONCE)


async def killed_clients(aim: Aim) -> Outcomes:
    """Kills processes (SIGKILL) with hundreds of calls under way."""
    for _ in range(aim.times(3)):
        command = [sys.executable, "-m", "loadtest.hostile", "calls_under_way", *aim.arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                while READY not in await process.stdout.readline():
                    pass
        finally:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
    return Counter({"killed": aim.times(3)})


async def calls_under_way(aim: Aim) -> Outcomes:
    """Begins calls, reports it, and goes on to call until it is killed."""
    body = grpc_message(aim.service.unary[aim.service.main])
    async with connected(aim.target) as connection:
        await connection.greet()
        reader = asyncio.create_task(connection.until_closed(30.0))
        while not reader.done():
            for _ in range(UNDER_WAY):
                await connection.send(request(connection.next_stream(), aim.service.main, body))
            print(READY.decode(), flush=True)
            await asyncio.sleep(0.1)
    return Counter()


async def _cancelled(connection: Connection, path: str, aim: Aim, delay_s: float) -> None:
    stream = connection.next_stream()
    body = frame(DATA, END_STREAM, stream, grpc_message(aim.service.methods[path]))
    await connection.send(headers_frame(stream, path))
    await asyncio.sleep(delay_s / 2)
    await connection.send(body)
    await asyncio.sleep(delay_s / 2)
    await connection.send(rst_stream(stream))


ATTACKS: dict[str, Attack] = {attack.__name__: attack for attack in (cancelled_calls, cut_connections, killed_clients)}
