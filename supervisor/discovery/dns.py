"""Discovery for clusters without a Role: the headless service of every model, looked up again and again."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from mesh.back_off import Uniform
from supervisor.discovery.port import Endpoints, host_and_port

PORT = 9000
EVERY_S = (4.0, 6.0)
LOOK_UP_S = 2.0
LOOK_UPS = 8  # at once: each takes a thread of the loop's
NAMED = 3
Models = Sequence[tuple[str, str, str]]
LookUp = Callable[[str], Awaitable[Sequence[str]]]
_log = logging.getLogger("supervisor.discovery")


async def look_up(host: str) -> Sequence[str]:
    """The addresses of `host` by the system's resolver; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class HeadlessServices:
    """Looks up GAME-VERSION-MODEL.NAMESPACE.svc for each of `models` every few seconds (from .. to `every_s`)."""

    def __init__(
        self,
        models: Models,
        namespace: str,
        look_up: LookUp = look_up,
        every_s: tuple[float, float] = EVERY_S,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._hosts = {model: f"{'-'.join(model)}.{namespace}.svc" for model in models}
        self._look_up = look_up
        self._every_s = every_s
        self._uniform = uniform
        self._slots = asyncio.Semaphore(LOOK_UPS)

    async def watch(self) -> AsyncIterator[Endpoints]:
        """What is known after each round that changed it."""
        known: dict[tuple[str, str, str], tuple[str, ...]] = {}
        told: Endpoints | None = None
        lost: set[str] = set()
        while True:
            found = await asyncio.gather(*map(self._addresses, self._hosts.values()))
            # A name without addresses is kept like one that cannot be looked up: a resolver in trouble says either, and
            # a lane to a pod that is gone costs nothing but its tries.
            known |= {model: one for model, one in zip(self._hosts, found, strict=True) if one}
            lost = _tell(lost, {host for host, one in zip(self._hosts.values(), found, strict=True) if not one})
            if Endpoints(known) != told:
                told = Endpoints(dict(known))
                yield told
            await asyncio.sleep(self._uniform(*self._every_s))

    async def _addresses(self, host: str) -> tuple[str, ...]:
        """The sorted addresses of one service; none if they cannot be had in time."""
        async with self._slots:
            try:
                async with asyncio.timeout(LOOK_UP_S):
                    found = await self._look_up(host)
            except (
                OSError,
                UnicodeError,
            ):  # a TimeoutError is an OSError; UnicodeError: a label of more than 63 letters
                return ()
        return tuple(sorted({host_and_port(one, PORT) for one in found}))


def _tell(lost: set[str], now: set[str]) -> set[str]:
    """Says which names were lost since the last round and which are back; returns those that are lost `now`."""
    for hosts, what in ((now - lost, "cannot be found; what is known of it stays"), (lost - now, "is found")):
        if hosts:
            first = ", ".join(sorted(hosts)[:NAMED])
            _log.warning("DNS: %s%s: %s", first, f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else "", what)
    return now
