"""Changes the certificate of a running service again and again while clients call it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import grpc

from tests.mesh.tls.certificates import Holder, Wish, issue, write
from tests.mesh.tls.clients import WITHIN_S, channel, http, value

EXPIRY = 'mesh_tls_certificate_expiry_timestamp_seconds{certificate="own"}'
ROTATIONS = 10


@dataclass(frozen=True)
class Rotated:
    """A service under test: `folder` has its files; `client` has a certificate of the first of `authorities`."""

    folder: Path
    address: str
    metrics: str
    wish: Wish
    authorities: tuple[Holder, Holder]
    client: Holder

    def channel(self) -> grpc.aio.Channel:
        """Opens a channel to the service that trusts both CAs."""
        name = self.wish.names[0].value
        return channel(self.address, name, self.authorities, self.client)

    async def change(self, number: int) -> None:
        """Issues certificate `number` from the CAs in turn, and waits until it is in use."""
        wanted = replace(self.wish, end=self.wish.end + timedelta(days=1 + number))
        write(self.folder, issue(self.authorities[number % 2], wanted), *self.authorities)
        async with asyncio.timeout(WITHIN_S):
            while await self._expiry() != wanted.end.timestamp():  # noqa: ASYNC110 (another process has no event)
                await asyncio.sleep(0.05)

    async def _expiry(self) -> float:
        return value((await asyncio.to_thread(http, self.metrics))[1], EXPIRY)


async def rotate_under_load(service: Rotated, call: Callable[[grpc.aio.Channel], Awaitable[None]]) -> int:
    """Changes the certificate `ROTATIONS` times; returns the number of calls, all of which succeeded.

    Some calls share a connection, and each of the others opens one.
    """
    done, calls = asyncio.Event(), 0

    async def on_one_connection() -> None:
        nonlocal calls
        async with service.channel() as opened:
            while not done.is_set():
                await call(opened)
                calls += 1

    async def on_new_connections() -> None:
        nonlocal calls
        while not done.is_set():
            async with service.channel() as opened:
                await call(opened)
                calls += 1

    async def change() -> None:
        for number in range(ROTATIONS):
            before = calls
            await service.change(number)
            assert calls > before
        done.set()

    async with asyncio.TaskGroup() as tasks:
        for work in (on_one_connection, on_new_connections, on_new_connections, change):
            tasks.create_task(work())
    return calls
