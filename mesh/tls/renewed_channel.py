"""A channel that follows the certificate of its client: gRPC's Python cannot change the certificate of an open channel.

A new certificate gets a new channel (make before break): the old channel serves until the new one is connected, and is
closed when its calls have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import grpc

from mesh.errors import Misconfigured

POLL_S = 1.0
CONNECT_S = 5.0
GRACE_S = 30.0  # longer than the longest call
_log = logging.getLogger("mesh.tls")

Stamps = list[tuple[int, int] | None]
Calls = TypeVar("Calls")  # what a client makes of a channel: a stub, or a callable


class RenewedChannel(Generic[Calls]):
    """`current` is made by `use` of a channel with the newest certificate.

    `open_channel` reads `files` and opens a channel; it raises Misconfigured for files with faults. Read `current` for
    each call or stream.
    """

    def __init__(
        self,
        open_channel: Callable[[], grpc.aio.Channel],
        use: Callable[[grpc.aio.Channel], Calls],
        files: Sequence[Path],
        grace_s: float = GRACE_S,
    ) -> None:
        self._open, self._use, self._files, self._grace_s = open_channel, use, files, grace_s
        self._stamp = stamps_of(self._files)
        self._channel = open_channel()
        self._closing: set[asyncio.Task[None]] = set()
        self.current = use(self._channel)

    async def ready(self) -> None:
        """Returns when the channel is connected; the caller sets a deadline."""
        await self._channel.channel_ready()

    async def watch(self) -> None:
        """Looks at the files every `POLL_S`, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.renew()

    async def renew(self) -> None:
        """Replaces the channel if the files have changed, and the new one connects; else the next call tries again."""
        stamp = stamps_of(self._files)
        if stamp == self._stamp:
            return
        try:
            channel = self._open()
        except Misconfigured as error:  # for example, only one of two files is written yet
            _log.warning("the new certificate is refused, the one before stays in use: %s", error.reason)
            return
        try:
            async with asyncio.timeout(CONNECT_S):
                await channel.channel_ready()
        except BaseException as error:
            await channel.close()
            if not isinstance(error, TimeoutError):
                raise
            _log.warning("no connection with the new certificate within %g s; the one before stays in use", CONNECT_S)
            return
        self._stamp = stamp
        before, self._channel, self.current = self._channel, channel, self._use(channel)
        closing = asyncio.create_task(before.close(self._grace_s))  # returns when its calls have ended
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Closes all channels at once."""
        for closing in tuple(self._closing):
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._channel.close()


def stamps_of(files: Iterable[Path]) -> Stamps:
    """Returns what changes when a file changes, also through a link, as Kubernetes mounts Secrets."""
    return list(map(_stamp_of, files))


def _stamp_of(file: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = file.stat()
        return found.st_ino, found.st_mtime_ns
    return None
