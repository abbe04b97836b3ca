"""Supervisor processes for tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.supervisor.backend import ask

WITHIN_S = 30.0
PIPE = asyncio.subprocess.PIPE


async def start(*arguments: object, environ: Mapping[str, str] = {}) -> asyncio.subprocess.Process:
    """Starts a supervisor with `environ` added to the environment; a Python warning ends it."""
    command = [sys.executable, "-W", "error", "-m", "supervisor", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env={**os.environ, **environ})


async def ended(*arguments: object) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a supervisor that ends by itself."""
    process = await start(*arguments)
    try:
        out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, out.decode(), err.decode()


class Running:
    """A supervisor that printed its ready line."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready

    async def offer(self) -> wire.GetOfferResponse:
        async with grpc.aio.insecure_channel(self.ready["address"]) as channel:
            stub: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
            answer: wire.GetOfferResponse = await stub.GetOffer(ask(), timeout=WITHIN_S)
            return answer

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int | None, str]:
        """Sends `number` and returns the exit code and stderr."""
        self.process.send_signal(number)
        _, err = await asyncio.wait_for(self.process.communicate(), WITHIN_S)
        return self.process.returncode, err.decode()


@asynccontextmanager
async def supervisor(*arguments: object, environ: Mapping[str, str] = {}) -> AsyncIterator[Running]:
    """Yields a ready supervisor and kills it after the block."""
    process = await start(*arguments, environ=environ)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stdout.readline(), WITHIN_S)
        if not line:
            _, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
            pytest.fail(f"the supervisor has ended with exit code {process.returncode}: {err.decode()}")
        yield Running(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
