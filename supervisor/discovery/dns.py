"""Discovery by DNS, for clusters without a Role: looks up the headless Service of every model periodically."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from mesh.address import host_and_port
from mesh.back_off import Uniform
from supervisor.discovery.port import Endpoints

PORT = 9000
EVERY_S = (4.0, 6.0)
LOOK_UP_S = 2.0
LOOK_UPS = 8  # concurrent; each takes a thread of the event loop
MAX_NAMED = 3
Models = Sequence[tuple[str, str, str]]
LookUp = Callable[[str], Awaitable[Sequence[str]]]
_log = logging.getLogger("supervisor.discovery")


async def look_up(host: str) -> Sequence[str]:
    """Resolves `host` with the system's resolver; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class HeadlessServices:
    """Looks up GAME-VERSION-MODEL.NAMESPACE.svc for each of `models()`, in rounds with a pause of `every_s`."""

    def __init__(
        self,
        models: Callable[[], Models],
        namespace: str,
        look_up: LookUp = look_up,
        every_s: tuple[float, float] = EVERY_S,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._models = models
        self._namespace = namespace
        self._look_up = look_up
        self._every_s = every_s
        self._uniform = uniform
        self._slots = asyncio.Semaphore(LOOK_UPS)

    async def watch(self) -> AsyncIterator[Endpoints]:
        """Yields the known endpoints after each round that changed them."""
        known: dict[tuple[str, str, str], tuple[str, ...]] = {}
        last: Endpoints | None = None
        lost: set[str] = set()
        while True:
            hosts = {model: f"{'-'.join(model)}.{self._namespace}.svc" for model in self._models()}
            found = await asyncio.gather(*map(self._addresses, hosts.values()))
            # A failing resolver may report an error or no addresses, so both keep the known addresses. A lane to a
            # removed pod costs only its attempts to connect.
            known |= {model: addresses for model, addresses in zip(hosts, found, strict=True) if addresses}
            not_found = {host for host, addresses in zip(hosts.values(), found, strict=True) if not addresses}
            _log_changes(lost, not_found)
            lost = not_found
            if Endpoints(known) != last:
                last = Endpoints(dict(known))
                yield last
            await asyncio.sleep(self._uniform(*self._every_s))

    async def _addresses(self, host: str) -> tuple[str, ...]:
        """The sorted addresses of one Service; empty if the look-up fails or takes longer than `LOOK_UP_S`."""
        async with self._slots:
            try:
                async with asyncio.timeout(LOOK_UP_S):
                    found = await self._look_up(host)
            except (OSError, UnicodeError):  # TimeoutError is an OSError; UnicodeError: a label of more than 63 letters
                return ()
        return tuple(sorted({host_and_port(address, PORT) for address in found}))


def _log_changes(lost: set[str], not_found: set[str]) -> None:
    """Logs the names that this round did not find first, and those that it found again."""
    for hosts, change in ((not_found - lost, "not found; keeping its known addresses"), (lost - not_found, "found")):
        if hosts:
            named = ", ".join(sorted(hosts)[:MAX_NAMED])
            more = f" and {len(hosts) - MAX_NAMED} more" if len(hosts) > MAX_NAMED else ""
            _log.warning("DNS: %s%s: %s", named, more, change)
